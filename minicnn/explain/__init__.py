"""What does a net look at? Maps over a picture that say which places speak for a class.

    heat = explain.gradcam(net, x)                 # which places of a layer raise the score
    heat = explain.saliency(net, x)                # which pixels, by guided gradients
    heat = explain.occlusion(net, x)               # what it costs to cover a place
    plots.heat_map(x, heat)

    explain.activations(net, x)                    # what each layer made of x, by the layer's name
    explain.gradients(net, x, loss, labels)        # and the gradient that came back to it
    explain.flow(net, x)                           # both, for the score of a class

The net is left as it was: all of this is done on a copy, in evaluation mode, whose layers are
watched on the way forward and on the way back.
"""

from __future__ import annotations

from .maps import HeatMap, gradcam, occlusion, saliency
from .passes import Flow, activations, flow, gradients, layer_names

__all__ = [
    "Flow",
    "HeatMap",
    "activations",
    "flow",
    "gradcam",
    "gradients",
    "layer_names",
    "occlusion",
    "saliency",
]
