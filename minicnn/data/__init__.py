"""Data: labelled pictures, and a loader that hands them to the net in shuffled batches."""

from __future__ import annotations

from . import augment
from .array import ArrayDataset
from .base import Dataset, Subset, split
from .digits import digits, digits_indices
from .folder import ImageFolder, read_picture
from .idx import idx_dataset, read_idx
from .loader import DataLoader
from .mnist import cache_folder, data_folders, fashion_mnist, mnist

__all__ = [
    "ArrayDataset",
    "DataLoader",
    "Dataset",
    "ImageFolder",
    "Subset",
    "augment",
    "cache_folder",
    "data_folders",
    "digits",
    "digits_indices",
    "fashion_mnist",
    "idx_dataset",
    "mnist",
    "read_idx",
    "read_picture",
    "split",
]
