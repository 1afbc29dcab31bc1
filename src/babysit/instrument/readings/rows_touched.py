"""Which part of an embedding a batch looks up."""

from __future__ import annotations

from babysit.instrument.reading import Reading, Values
from babysit.instrument.xray import Xray, weight_of


class RowsTouched(Reading):
    """Share of an embedding's rows that the batch uses, and that get a gradient by it."""

    def read(self, xray: Xray) -> Values:
        """Shares by layer."""
        shares: dict[str, float] = {}
        for index in xray.wiring.find({"Embedding", "EmbeddingBag"}):
            node = xray.wiring.nodes[index]
            indices, weight = xray.saved(index, "indices"), weight_of(xray, index)
            if indices is None or weight is None or node.layer is None or weight.dim() != 2:
                continue
            share = indices.unique().numel() / weight.shape[0]
            shares[node.layer] = max(share, shares.get(node.layer, 0.0))
        return {"rows-touched": shares}
