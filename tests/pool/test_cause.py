"""The line that says why a worker ended is found among all it wrote: real logs, real causes."""

import signal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lumbre.pool.cause import how, of

TRACEBACK = """Traceback (most recent call last):
  File "llama.py", line 14, in main
    server = xllamacpp.Server(parameters(worker.settings))
  File "src/xllamacpp/xllamacpp.pyx", line 3270, in xllamacpp.xllamacpp.Server.__cinit__
RuntimeError: Failed to init server, please check the input params.
"""
REST = """0.00.003.175 E llama_model_load_from_file_impl: failed to load model
0.00.003.176 E cmn  common_init_: failed to load model '/m.gguf'
0.00.003.178 E srv    load_model: failed to load model, '/m.gguf'
0.00.003.401 E srv          init: exiting due to model loading error
"""


@pytest.mark.parametrize(
    ("log", "cause"),
    [
        (
            "0.00.042.835 E llama_model_load: error loading model: tensor 'blk.15.attn' data is "
            "not within the file bounds, model is corrupted or incomplete\n" + REST + TRACEBACK,
            "tensor 'blk.15.attn' data is not within the file bounds, "
            "model is corrupted or incomplete",
        ),
        (
            "0.00.129.956 E llama_model_load: error loading model: check_tensor_dims: tensor "
            "'blk.3.attn_k.weight' not found\n" + REST + TRACEBACK,
            "check_tensor_dims: tensor 'blk.3.attn_k.weight' not found",
        ),
        (
            "0.00.05.1 E llama_model_load: error loading model: error loading model vocabulary: "
            "unknown pre-tokenizer type: 'martin'\n" + REST + TRACEBACK,
            "unknown pre-tokenizer type: 'martin'",
        ),
        (
            "0.00.002.967 E gguf_init_from_reader: failed to read magic\n"
            "0.00.003.075 E llama_model_load: error loading model: llama_model_loader: failed to "
            "load model from /m.gguf\n" + REST + TRACEBACK,
            "failed to read magic",
        ),
        (
            "0.00.003.058 E gguf_init_from_file: failed to open GGUF file '/m.gguf' (No such file "
            "or directory)\n" + REST + TRACEBACK,
            "failed to open GGUF file '/m.gguf' (No such file or directory)",
        ),
        (
            "0.00.002.1 W srv  init: a warning\n"
            "/workspace/llama-model.cpp:1883: GGML_ASSERT(!ml.no_alloc) failed\n",
            "GGML_ASSERT(!ml.no_alloc) failed",
        ),
        (
            "ggml_backend_cpu_buffer_type_alloc_buffer: failed to allocate buffer of size 99\n"
            "0.01.0.1 E llama_init_from_model: failed to initialize the context\n" + TRACEBACK,
            "ggml_backend_cpu_buffer_type_alloc_buffer: failed to allocate buffer of size 99",
        ),
        (
            "Traceback (most recent call last):\n  File \"x\", line 1\nKeyError: 'path'\n",
            "KeyError: 'path'",
        ),
        ("0.00.002.1 W srv  init: a warning\n", "killed by SIGKILL"),
        ("", "killed by SIGKILL"),
    ],
)
def test_the_cause_is_told(log: str, cause: str) -> None:
    assert of(log, -signal.SIGKILL) == cause


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (0, "exit status 0"),
        (1, "exit status 1"),
        (-6, "killed by SIGABRT"),
        (-250, "killed by signal 250"),
        (None, "still running"),
    ],
)
def test_without_a_word_the_way_it_ended_is_told(status: int | None, words: str) -> None:
    assert how(status) == of("", status) == words


@given(st.text(), st.integers(-300, 300) | st.none())
def test_any_log_gives_one_short_line(log: str, status: int | None) -> None:
    cause = of(log, status)
    assert 0 < len(cause) <= 300
    assert len(cause.splitlines()) == 1
