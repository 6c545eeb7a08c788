"""Make `reference.json`: what the reference implementation makes of the tests' sound and of the tests' tiny Whisper.

Run by hand where PyTorch (2.13) and transformers (5.23) are installed: `python -m tests.data.whisper.make_reference`.
Greedy, with timestamps, in a window of 30 s; of the features some frames are kept, those at the sound's end among them.
"""

import json
from pathlib import Path

import numpy as np
import torch
from transformers import WhisperConfig, WhisperFeatureExtractor, WhisperForConditionalGeneration
from transformers.generation.logits_process import (
    SuppressTokensAtBeginLogitsProcessor,
    SuppressTokensLogitsProcessor,
    WhisperTimeStampLogitsProcessor,
)

from tests.tiny_whisper import (
    END,
    ID,
    LANGUAGES,
    SAMPLE_RATE,
    Whisper,
    generation_config,
    speech_like,
    transformers_config,
)

DURATION_S = 12.0
FRAMES = (*range(0, 1200, 149), *range(1196, 1206), 2999)
SEEDS = (0, 1, 2, 3)
CONTEXT = (72, 105, 33)


def main() -> None:
    """Write the file."""
    made = {"features": {str(bins): features(bins) for bins in (80, 128)}, "texts": [texts(seed) for seed in SEEDS]}
    Path(__file__).with_name("reference.json").write_text(json.dumps(made) + "\n")


def features(num_bins: int) -> list[list[float]]:
    """Return some frames of the features of the tests' sound."""
    extractor = WhisperFeatureExtractor(feature_size=num_bins)
    made = extractor(speech_like(DURATION_S), sampling_rate=SAMPLE_RATE, return_tensors="np").input_features[0]
    return [[round(float(value), 6) for value in frame] for frame in made[:, FRAMES].T]


def texts(seed: int) -> dict[str, object]:
    """Return what a model says: the language it hears, then its tokens for both tasks and after a context."""
    whisper = Whisper(seed=seed)
    model = WhisperForConditionalGeneration(WhisperConfig(**transformers_config(whisper))).eval()
    state = {name: torch.tensor(values) for name, values in whisper.weights.items()}
    state["proj_out.weight"] = state["model.decoder.embed_tokens.weight"]
    missing, unknown = model.load_state_dict(state, strict=False)
    assert not missing and not unknown, (missing, unknown)
    extractor = WhisperFeatureExtractor(feature_size=whisper.num_mel_bins)
    sound = extractor(speech_like(DURATION_S), sampling_rate=SAMPLE_RATE, return_tensors="pt").input_features
    with torch.no_grad():
        heard = model.model.encoder(sound)
        first = model(encoder_outputs=heard, decoder_input_ids=torch.tensor([[ID["<|startoftranscript|>"]]])).logits
        logits = first[0, -1]
        spoken = {code: float(logits[ID[f"<|{code}|>"]]) for code in LANGUAGES}
        transcribe, translate = (
            [ID["<|startoftranscript|>"], ID["<|de|>"], ID[f"<|{task}|>"]] for task in ("transcribe", "translate")
        )
        return {
            "seed": seed,
            "language": max(spoken, key=spoken.__getitem__),
            "no_speech": float(torch.softmax(logits, -1)[ID["<|nospeech|>"]]),
            "transcribe": greedy(model, heard, transcribe),
            "translate": greedy(model, heard, translate),
            "context": greedy(model, heard, [ID["<|startofprev|>"], *CONTEXT, *transcribe]),
        }


def greedy(model: WhisperForConditionalGeneration, heard: object, beginning: list[int]) -> list[int]:
    """Return the likeliest tokens after a beginning, by the reference's own rules for timestamps."""
    config = model.generation_config
    for name, value in generation_config().items():
        setattr(config, name, value)
    suppressed = config.suppress_tokens
    rules = [
        SuppressTokensLogitsProcessor(suppressed),
        SuppressTokensAtBeginLogitsProcessor(config.begin_suppress_tokens, len(beginning)),
        WhisperTimeStampLogitsProcessor(config, begin_index=len(beginning)),
    ]
    tokens = list(beginning)
    for _ in range(min(model.config.max_target_positions // 2, model.config.max_target_positions - len(beginning))):
        ids = torch.tensor([tokens])
        scores = model(encoder_outputs=heard, decoder_input_ids=ids).logits[:, -1]
        for rule in rules:
            scores = rule(ids, scores)
        token = int(np.argmax(scores[0].numpy()))
        if token == END:
            break
        tokens.append(token)
    return tokens[len(beginning) :]


if __name__ == "__main__":
    main()
