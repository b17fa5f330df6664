"""A whole job on real data that needs no download: the general category of a character's name."""

from pathlib import Path

#: The trained model that ships with the package; made by `numbarnn.demo.train`.
MODEL = Path(__file__).with_name("names.safetensors")
