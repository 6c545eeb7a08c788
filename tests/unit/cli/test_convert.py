"""What the command line says of a quantized model."""

from appliance.cli.made import loss_facts
from appliance.core.admin import ModelLoss


def test_a_model_that_was_not_quantized_here_has_no_figures() -> None:
    assert loss_facts(None) == []


def test_the_figures_of_an_encoder_are_its_vectors() -> None:
    loss = ModelLoss(num_samples=26, loss_ratio=0.002, method="int8", cosine_mean=0.9997, cosine_min=0.99)
    assert loss_facts(loss) == [
        ("quantized as", "int8"),
        ("quality", "0.2% worse than the original, cosine 0.9997 (least 0.9900)"),
    ]
