"""Our decoding over fixed caches, and the counting of Hugging Face's, against plain loops without any cache."""

from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from typing import Any

import pytest
import torch

from generators.measuring.decoding import assisted, models
from generators.measuring.decoding.llama import attended, attended_by_sums, product_by_sums
from generators.measuring.decoding.models import Loaded, load
from generators.measuring.decoding.sampling import never_end, padding
from generators.measuring.decoding.speculative import Speculative, Standard
from tests.tiny_models import Pair

NEW = 24
CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def pair(tiny_models: Pair) -> list[Loaded]:
    loaded = [load(str(folder), CPU, torch.float32, "model") for folder in tiny_models]
    for one in loaded:
        never_end(one)
    return loaded


def most_likely(loaded: Loaded, ids: list[int]) -> int:
    """The greedy next token after ids, all of them run at once without a cache."""
    with torch.no_grad():
        return int(loaded.model(torch.tensor([ids])).logits[0, -1].argmax())


def greedy(loaded: Loaded, ids: list[int], count: int) -> list[int]:
    for _ in range(count):
        ids = [*ids, most_likely(loaded, ids)]
    return ids


def accepted_a_round(target: Loaded, draft: Loaded, ids: list[int], count: int, draft_len: int) -> list[int]:
    """Speculative decoding written out: draft, compare one by one, keep the target's token at the first difference."""
    end, found = len(ids) + count, []
    while len(ids) < end:
        drafted = greedy(draft, ids, draft_len)[len(ids) :]
        accepted = 0
        while accepted < draft_len and most_likely(target, ids + drafted[:accepted]) == drafted[accepted]:
            accepted += 1
        ids = ids + drafted[:accepted]
        ids = [*ids, most_likely(target, ids)]
        found.append(accepted)
    return found


@pytest.mark.parametrize("prompt_len", [2, 3, 9])
def test_standard_decoding_over_a_fixed_cache_gives_the_greedy_tokens(pair: list[Loaded], prompt_len: int) -> None:
    prompt = list(range(20, 20 + prompt_len))
    standard = Standard(pair[0].model, prompt_len + NEW)
    filled = Standard(pair[0].model, prompt_len + NEW, prompt_len=prompt_len + 4)
    for one in (standard, standard, filled, filled):  # a second run starts from a used cache
        assert one.run(torch.tensor(prompt), NEW) == (greedy(pair[0], prompt, NEW), None)


@pytest.mark.parametrize("prompt_len", [2, 3, 9])
@pytest.mark.parametrize("draft_len", [1, 2, 4])
def test_speculative_decoding_gives_the_greedy_tokens_and_the_rounds_of_a_plain_loop(
    pair: list[Loaded], prompt_len: int, draft_len: int
) -> None:
    target, draft = pair
    prompt = list(range(30, 30 + prompt_len))
    speculative = Speculative(target.model, draft.model, prompt_len + NEW, draft_len)
    filled = Speculative(target.model, draft.model, prompt_len + NEW, draft_len, prompt_len=prompt_len + 4)
    expected = accepted_a_round(target, draft, prompt, NEW, draft_len)
    for one in (speculative, speculative, filled, filled):
        found, rounds = one.run(torch.tensor(prompt), NEW)
        assert found == greedy(target, prompt, NEW)
        assert rounds.accepted == expected
        assert rounds.drafted == [draft_len] * len(expected)


def test_a_draft_equal_to_the_target_is_always_accepted(pair: list[Loaded]) -> None:
    target, _ = pair
    prompt = torch.arange(40, 45)
    _, rounds = Speculative(target.model, target.model, 5 + 20, 4).run(prompt, 20)
    assert rounds.accepted == [4] * 4  # 4 rounds of 4 drafts and 1 token of the target are 20 tokens
    assert rounds.acceptance_rate == 1
    assert rounds.tokens_per_call == 5


def test_the_draft_sees_a_prompt_whole_that_holds_the_padding(pair: list[Loaded]) -> None:
    """The library would hide such tokens from the draft, and count them as padding."""
    target, draft = pair
    hidden: list[int] = []

    def note(module: Any, args: Any, kwargs: dict[str, Any]) -> None:
        mask = kwargs.get("attention_mask")
        hidden.append(0 if mask is None else int((mask == 0).sum()))

    hook = draft.model.register_forward_pre_hook(note, with_kwargs=True)
    assisted.generate(target, torch.tensor([[50, padding(target), 51]]), 8, draft)
    hook.remove()
    assert hidden
    assert set(hidden) == {0}


@pytest.mark.parametrize("draft_len", [1, 3])
def test_the_calls_of_assisted_generation_are_counted_as_a_plain_loop_has_them(pair: list[Loaded], draft_len: int) -> None:
    target, draft = pair
    prompt = list(range(50, 57))
    assisted.draft_constant(draft, draft_len)
    with assisted.counted(target) as calls:
        result = assisted.generate(target, torch.tensor([prompt]), NEW, draft)[0].tolist()
    assert result == greedy(target, prompt, NEW)
    rounds = calls.rounds(len(prompt), len(result))
    expected = accepted_a_round(target, draft, prompt, NEW, draft_len)
    assert rounds.accepted[:-1] == expected[: len(rounds.accepted) - 1]  # the last round is cut off at NEW tokens
    assert sum(rounds.accepted) + len(rounds.accepted) == NEW
    assert rounds.drafted[0] == draft_len


def test_acceptance_counts_the_drafts_that_were_looked_at() -> None:
    rounds = assisted.Rounds(drafted=[4, 4, 2], accepted=[4, 1, 2])
    assert rounds.acceptance_rate == 7 / 8  # 4 + 1 + 2 accepted, and one rejected in the second call
    assert rounds.tokens_per_call == 10 / 3
    assert assisted.Rounds(drafted=[0], accepted=[0]).acceptance_rate is None


def test_attention_by_sums_is_attention() -> None:
    """Six heads of queries share two of keys and values; tokens 5 to 7 of 10 slots see those up to themselves."""
    torch.manual_seed(0)
    query, keys, values = (torch.randn(*shape, dtype=torch.float64) for shape in ((6, 3, 4), (2, 10, 4), (2, 10, 4)))
    allowed = torch.arange(10) <= torch.arange(5, 8)[:, None]
    batch = query, keys, values, allowed
    torch.testing.assert_close(attended_by_sums(*batch), attended(*batch), rtol=1e-12, atol=1e-12)


def test_a_product_by_sums_is_a_product() -> None:
    # Each output is a row of W times x: 1*3 + 2*4 = 11 and 1*5 + 2*6 = 17.
    found = product_by_sums(torch.tensor([[1.0, 2.0]]), torch.tensor([[3.0, 4.0], [5.0, 6.0]]))
    assert found.tolist() == [[11.0, 17.0]]


def test_nothing_is_left_hooked_on_the_target(pair: list[Loaded]) -> None:
    with assisted.counted(pair[0]):
        pass
    assert not pair[0].model._forward_pre_hooks


class _Hub(BaseHTTPRequestHandler):
    def do_HEAD(self) -> None:
        self.send_response(404)
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


def test_the_hub_is_asked_only_where_it_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    with HTTPServer(("127.0.0.1", 0), _Hub) as server:
        Thread(target=server.handle_request, daemon=True).start()
        monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{server.server_port}")
        monkeypatch.setenv("HF_HUB_OFFLINE", "1")
        assert not models._hub_answers()
        monkeypatch.setenv("HF_HUB_OFFLINE", "0")
        assert models._hub_answers()  # 404 is an answer
    assert not models._hub_answers()  # nobody listens there any more
