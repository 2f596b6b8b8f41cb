"""Pictures: of training, of numbers on their way through a layer, of what a net has learnt.

Every function draws into the matplotlib Axes it is given, or into one of its own, and returns it.
A figure of its own is made through pyplot where that is in use already, as in a notebook, which
then shows it; else without, so that nothing pops up and nothing has to be closed. Colours are told
apart by people who see few of them, and lines differ in dash and marker as well, for
black-and-white print.

In Axes of any size text stays in its place: it is shrunk, then shortened, and left out where it
could not be read. Names are shown as they are, without maths. Values that are not finite have no
say in any scale, and are crossed out. matplotlib is needed here alone, and imported when a function
is called.
"""

from ._style import save_figure, use_style
from .architecture import architecture
from .confusion import confusion_matrix
from .curves import learning_curves, training_figure
from .grids import feature_maps, filters
from .numbers import number_grid, window_at_work
from .pictures import heat_map, mistakes
from .routing import pooling_routing
from .speed import ladder, roofline
from .spread import histograms, learning_rates

__all__ = [
    "architecture",
    "confusion_matrix",
    "feature_maps",
    "filters",
    "heat_map",
    "histograms",
    "ladder",
    "learning_curves",
    "learning_rates",
    "mistakes",
    "number_grid",
    "pooling_routing",
    "roofline",
    "save_figure",
    "training_figure",
    "use_style",
    "window_at_work",
]
