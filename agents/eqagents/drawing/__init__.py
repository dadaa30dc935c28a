"""Numbers turned into pictures, as SVG for pages and as pixels for TensorBoard; below training and reports."""
