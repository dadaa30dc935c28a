"""RLlib plays the games here by their rules: who is asked, who is paid what, and how each agent's episode ends."""

from __future__ import annotations

import pickle
from itertools import product

import numpy as np
import pytest
from gymnasium import spaces
from pettingzoo import ParallelEnv

import eqenvs
from eqagents.interop.rllib import RLlibEnv, make_env
from eqenvs.errors import IllegalActionError, InputError, UnknownNameError

multi_agent_episode = pytest.importorskip("ray.rllib.env.multi_agent_episode", exc_type=ImportError)
MultiAgentEpisode = multi_agent_episode.MultiAgentEpisode

GAMES = [
    ({"game": "kuhn_poker", "parameters": {"num_players": 3}}, 3),
    ({"game": "leduc_poker"}, 2),
    ({"game": "leduc_poker", "max_cycles": 3}, 2),
    ({"game": "goofspiel"}, 2),
    ({"game": "rock_paper_scissors"}, 2),
    ({"game": "grid_soccer", "max_cycles": 5}, 2),
]


class Script(ParallelEnv):
    """Agents live as long as they are told to, and end as they are told to; each step pays the step's number."""

    metadata = {"name": "script"}  # noqa: RUF012 - PettingZoo's form

    def __init__(self, endings):
        self.endings = endings
        self.possible_agents = [f"agent_{i}" for i in range(len(endings))]

    def observation_space(self, agent):
        return spaces.Box(0, 9, (1,), np.float32)

    def action_space(self, agent):
        return spaces.Discrete(2)

    def _seen(self, agents):
        return {agent: np.full(1, self.t, dtype=np.float32) for agent in agents}

    def reset(self, seed=None, options=None):
        self.t, self.agents = 0, self.possible_agents[:]
        return self._seen(self.agents), {agent: {} for agent in self.agents}

    def step(self, actions):
        assert set(actions) == set(self.agents)
        self.t += 1
        present = self.agents
        ends = {agent: self.endings[self.possible_agents.index(agent)] for agent in present}
        terminated = {agent: ends[agent] == (self.t, "terminated") for agent in present}
        truncated = {agent: ends[agent] == (self.t, "truncated") for agent in present}
        self.agents = [agent for agent in present if not terminated[agent] and not truncated[agent]]
        rewards = {agent: float(self.t) for agent in present}
        return self._seen(present), rewards, terminated, truncated, {agent: {} for agent in present}


def vector(*makers):
    from ray.rllib.env.vector.sync_vector_multi_agent_env import SyncVectorMultiAgentEnv

    return SyncVectorMultiAgentEnv(list(makers))


def play(env, choose, seed=0, steps=200):
    """Episodes of RLlib's own records, one list per environment, as its runner keeps them; the raw dicts beside."""
    observations, infos = env.reset(seed=seed)
    done, raw = [[] for _ in range(env.num_envs)], [[] for _ in range(env.num_envs)]
    current = [MultiAgentEpisode() for _ in range(env.num_envs)]
    for episode, seen, told in zip(current, observations, infos, strict=True):
        episode.add_env_reset(observations=seen, infos=told)
    for _ in range(steps):
        actions = [
            {agent: choose(i, agent, observations[i][agent]) for agent in sorted(episode.get_agents_to_act())}
            if episode.is_reset
            else {}
            for i, episode in enumerate(current)
        ]
        observations, rewards, ended, cut, infos = env.step(actions)
        for i, episode in enumerate(current):
            if not episode.is_reset:
                episode.add_env_reset(observations=observations[i], infos=infos[i])
                continue
            episode.add_env_step(
                observations[i], actions[i], rewards[i], infos[i], terminateds=ended[i], truncateds=cut[i]
            )
            raw[i].append((observations[i], rewards[i], ended[i], cut[i]))
            if episode.is_done:
                done[i].append(episode)
                current[i] = MultiAgentEpisode()
    return done, raw


def legally(seed):
    rng = np.random.default_rng(seed)

    def choose(_, __, observation):
        return int(rng.choice(np.flatnonzero(observation["action_mask"])))

    return choose


ENDS = list(product((1, 2), ("terminated", "truncated")))


def require_ends(endings, make):
    """Each agent's own episode ends as the script has it, and all of them with the last."""
    env = vector(lambda: make(Script(endings)))
    (episodes,), (raw,) = play(env, lambda *_: 0, steps=7)
    length = max(t for t, _ in endings)
    over = [ended["__all__"] or cut["__all__"] for _, _, ended, cut in raw]
    assert over[:length] == [False] * (length - 1) + [True]
    assert len(episodes) == (8 // (length + 1))  # one step of the vector environment goes into each reset
    last_cut = any(end == (length, "truncated") for end in endings)
    for episode in episodes:
        for (t, kind), agent in zip(endings, env.envs[0].possible_agents, strict=True):
            own = episode.agent_episodes[agent]
            assert own.is_done
            # Learners bootstrap where this is False, whatever else is said.
            assert own.is_terminated == (kind == "terminated")
            assert own.is_truncated == (kind == "truncated" or (t == length and last_cut))
            assert len(own) == t
            assert own.get_return() == sum(range(1, t + 1))


@pytest.mark.parametrize("endings", [*product(ENDS, repeat=2), *product(ENDS[::2], ENDS[1::2], ENDS)])
def test_every_mix_of_endings_ends_each_agent_as_it_ended(endings):
    require_ends(endings, RLlibEnv)


def test_rllibs_own_wrapper_gets_as_many_endings_wrong_as_the_page_says():
    from ray.rllib.env.wrappers.pettingzoo_env import ParallelPettingZooEnv

    class InOrder(ParallelPettingZooEnv):
        """With what the vector environment asks for; the endings are its own."""

        render_mode = None

        def __init__(self, env):
            super().__init__(env)
            self.possible_agents = env.possible_agents
            self.observation_spaces = {agent: env.observation_space(agent) for agent in env.possible_agents}
            self.action_spaces = {agent: env.action_space(agent) for agent in env.possible_agents}

    wrong = 0
    for endings in product(ENDS, repeat=2):
        try:
            require_ends(endings, InOrder)
        except AssertionError:
            wrong += 1
    assert wrong == 10


def test_agents_are_live_ones_in_order_and_stay_named_after_the_end():
    env = RLlibEnv(Script([(2, "terminated"), (1, "truncated"), (2, "terminated")]))
    env.reset()
    assert env.agents == env.possible_agents == ["agent_0", "agent_1", "agent_2"]
    _, _, ended, cut, _ = env.step(dict.fromkeys(env.agents, 0))
    assert env.agents == ["agent_0", "agent_2"]
    assert cut == {"agent_0": False, "agent_1": True, "agent_2": False, "__all__": False}
    assert ended["__all__"] is False
    observations, *_ = env.step(dict.fromkeys(env.agents, 0))
    assert list(observations) == env.agents == ["agent_0", "agent_2"]


@pytest.mark.parametrize(("config", "num_players"), GAMES, ids=str)
def test_episodes_are_those_of_the_parallel_environment(config, num_players):
    env = vector(*[lambda: make_env(config)] * 3)
    choices = [[], [], []]
    random_choice = legally(1)

    def choose(i, agent, observation):
        assert env.single_observation_spaces[agent].contains(observation)
        action = random_choice(i, agent, observation)
        choices[i].append((agent, action))
        return action

    episodes, raw = play(env, choose, seed=5)
    game = eqenvs.make(config["game"], **config.get("parameters", {}))
    for i in range(3):
        parallel = game.parallel_env(max_cycles=config.get("max_cycles"))
        parallel.reset(seed=5 + i)
        asked, steps, totals = iter(choices[i]), iter(raw[i]), []
        for _ in range(len(raw[i])):
            if not parallel.agents:
                parallel.reset()
                totals.append(0)
            acting = [agent for agent in parallel.agents if parallel._episode.acting().count(int(agent[-1]))]
            actions = dict(next(asked) for _ in acting)
            assert list(actions) == acting
            expected, paid, ended, cut, infos = parallel.step(actions)
            seen, rewards, terminateds, truncateds = next(steps)
            over = not parallel.agents
            assert list(seen) == [a for a in parallel.possible_agents if over or infos[a]["acting"]]
            for agent, own in seen.items():
                assert (own["observations"] == expected[agent]["observation"]).all()
                assert (own["action_mask"] == expected[agent]["action_mask"]).all()
            assert rewards == paid
            assert terminateds["__all__"] == (over and all(ended.values()))
            assert truncateds["__all__"] == (over and all(cut.values()))
        assert len(episodes[i]) >= 10
        for episode in episodes[i]:
            assert len(episode.agent_episodes) == num_players
            for own in episode.agent_episodes.values():
                assert own.is_terminated != own.is_truncated


@pytest.mark.parametrize("config", [config for config, _ in GAMES], ids=str)
def test_returns_are_what_the_game_paid(config):
    ((episode, *_),), (raw,) = play(vector(lambda: make_env(config)), legally(2), steps=60)
    paid = {}
    for _, rewards, ended, cut in raw:
        paid = {agent: paid.get(agent, 0.0) + reward for agent, reward in rewards.items()}
        if ended["__all__"] or cut["__all__"]:
            break
    assert {agent: own.get_return() for agent, own in episode.agent_episodes.items()} == paid


@pytest.mark.parametrize("config", [config for config, _ in GAMES], ids=str)
def test_rllibs_own_check_passes(config):
    from ray.rllib.utils.pre_checks.env import check_multiagent_environments

    check_multiagent_environments(make_env(config))


def test_time_limit_is_a_truncation_to_learners():
    (episodes,), (raw,) = play(vector(lambda: make_env({"game": "grid_soccer", "max_cycles": 1})), legally(3), steps=5)
    assert raw[0][3] == {"__all__": True}
    assert all(own.is_truncated and not own.is_terminated for own in episodes[0].agent_episodes.values())


def test_same_seed_gives_the_same_games_and_another_others():
    config = {"game": "leduc_poker"}
    first, again, other = (
        play(vector(lambda: make_env(config)), legally(4), seed=seed, steps=40)[1] for seed in (7, 7, 8)
    )
    assert repr(first) == repr(again)
    assert repr(first) != repr(other)


def test_an_episode_goes_on_after_pickling():
    env, rng = make_env({"game": "leduc_poker"}), np.random.default_rng(0)
    observations, _ = env.reset(seed=3)
    for _ in range(40):
        copy = pickle.loads(pickle.dumps(env))
        actions = {a: int(rng.choice(np.flatnonzero(seen["action_mask"]))) for a, seen in observations.items()}
        found = env.step(actions)
        assert repr(copy.step(actions)) == repr(found)
        assert copy.agents == env.agents
        observations = found[0]
        if found[2]["__all__"]:
            observations, _ = env.reset()


def test_spaces_are_by_agent_and_each_vector_environments_metadata_its_own():
    env = make_env({"game": "kuhn_poker"})
    assert list(env.observation_spaces) == list(env.action_spaces) == env.possible_agents == ["player_0", "player_1"]
    assert set(env.observation_spaces["player_0"].spaces) == {"observations", "action_mask"}
    vector(lambda: env)
    assert "autoreset_mode" in env.metadata
    assert "autoreset_mode" not in make_env({"game": "kuhn_poker"}).metadata


def test_illegal_actions_are_refused():
    env = make_env({"game": "leduc_poker"})
    env.reset(seed=0)
    with pytest.raises(IllegalActionError, match="player_0"):
        env.step({"player_0": 0})  # there is nothing to fold to


def test_wrong_env_configs_say_so():
    with pytest.raises(UnknownNameError, match="did you mean 'max_cycles'"):
        make_env({"game": "kuhn_poker", "max_cycle": 3})
    with pytest.raises(InputError, match="'game' is required"):
        make_env({})
    with pytest.raises(UnknownNameError, match="kuhn_poker"):
        make_env({"game": "kuhn"})
    with pytest.raises(InputError, match="must be a PettingZoo ParallelEnv or AECEnv, got Game"):
        RLlibEnv(eqenvs.make("kuhn_poker"))


@pytest.mark.parametrize("game_id", ["kuhn_poker", "leduc_poker"])
def test_an_aec_environment_gives_the_episodes_of_the_parallel_one(game_id):
    game = eqenvs.make(game_id)
    (_, raw), (_, expected) = (
        play(vector(lambda env=env: RLlibEnv(env())), legally(2), seed=3, steps=60)
        for env in (game.aec_env, game.parallel_env)
    )
    assert repr(raw) == repr(expected)


def test_an_environment_of_pettingzoo_in_turns_is_played_and_checked():
    from ray.rllib.utils.pre_checks.env import check_multiagent_environments

    tictactoe = pytest.importorskip("pettingzoo.classic.tictactoe_v3", exc_type=ImportError)
    check_multiagent_environments(RLlibEnv(tictactoe.env()))
    ((*episodes,),), _ = play(vector(lambda: RLlibEnv(tictactoe.env())), legally(0), steps=100)
    assert len(episodes) >= 9
    for episode in episodes:
        first, second = (episode.agent_episodes[agent] for agent in ("player_1", "player_2"))
        assert first.get_return() == -second.get_return()
        assert first.is_terminated
        assert second.is_terminated
        assert 0 <= len(first) - len(second) <= 1
