"""Keys and values of rows that begin alike: what they share is kept once, and read once for all of them.

Behind a common prefix (the examples of a few-shot task) rows usually get a copy each of its keys and values. Here a row
keeps its own only; attention multiplies the queries of all rows with the prefix in one product (Juravsky et al. 2024,
"Hydragen"). It goes through the attention interface of transformers, so models stay as they are; one that does not use
it, or asks more of attention than this, gets copies: `mirage_lib.passes` tries.
"""

import contextlib
import copy
import functools

NAME = "shared_prefix"  # of the attention, as transformers knows it
WEIGHTS_AT_ONCE = {"cpu": 1 << 20, "cuda": 1 << 26}  # of attention: so many stay in a processor's cache


@contextlib.contextmanager
def sharing(network, once: bool = True):
    """Let a network whose attention is torch's read once what rows begin with; afterwards it is as it was.

    Not for networks of one configuration in several threads.
    """
    from transformers import AttentionInterface, AttentionMaskInterface
    from transformers.masking_utils import sdpa_mask

    # of the part that reads text only: the public setter hands a name down to all parts, also on the way back
    config = network.config.get_text_config(decoder=True)
    was = config._attn_implementation
    AttentionInterface.register(NAME, attend)
    AttentionMaskInterface.register(NAME, sdpa_mask)
    config._attn_implementation_internal = NAME if once and was == "sdpa" else was
    try:
        yield
    finally:
        config._attn_implementation_internal = was


def attend(module, query, key, value, attention_mask, scaling=None, **kwargs):
    """Attention of rows to a prefix and to themselves; torch's own if the keys have no prefix, `key.before`.

    query : shape (rows, heads, places, width); key and value : (rows, heads or a divisor, places in use, width);
    attention_mask : bool, (rows, 1, places, places of prefix and in use), true for the prefix. Returns what
    transformers wants: shape (rows, places, heads, width), and None for the weights.
    """
    import torch
    from transformers.integrations.sdpa_attention import repeat_kv, sdpa_attention_forward

    if getattr(key, "before", None) is None:
        return sdpa_attention_forward(module, query, key, value, attention_mask, scaling=scaling, **kwargs)
    groups = getattr(module, "num_key_value_groups", 1)
    far_keys, far_values = (repeat_kv(prefix, groups)[0] for prefix in key.before)
    query = query * (query.shape[-1] ** -0.5 if scaling is None else scaling)
    # heads first, as keys and values lie in memory
    query, key, value = (x.transpose(0, 1) for x in (query, repeat_kv(key, groups), repeat_kv(value, groups)))
    heads, rows, places, width = query.shape
    shared = far_keys.shape[1]
    hidden = None if attention_mask is None else ~attention_mask[..., shared:].transpose(0, 1)
    answer = value.new_empty(rows, places, heads, value.shape[-1])
    room = WEIGHTS_AT_ONCE["cpu" if query.device.type == "cpu" else "cuda"]
    few = max(1, room // (heads * places * (shared + key.shape[2])))
    for start in range(0, rows, few):
        part = slice(start, start + few)
        asked = query[:, part].contiguous()
        far, near = asked.view(heads, -1, width) @ far_keys.mT, asked @ key[:, part].mT
        if hidden is not None:
            near.masked_fill_(hidden[:, part], -float("inf"))
        weights = torch.cat([far.view(*near.shape[:3], shared), near], -1)
        weights = weights.softmax(-1, dtype=torch.float32).to(value.dtype)
        far, near = weights[..., :shared].view(heads, -1, shared) @ far_values, weights[..., shared:] @ value[:, part]
        answer[part] = (far.view_as(near) + near).permute(1, 2, 0, 3)
    return answer, None


@functools.cache
def _roomy() -> type:
    """The class of a cache's layer with room ahead, made when first needed: what it derives from is slow to import."""
    import torch
    from transformers.cache_utils import DynamicLayer

    class Roomy(DynamicLayer):
        """Rows of another layer; new keys and values are written behind them, where its parent copies all anew.

        room : keys and values, each of shape (rows, heads, places, width); `keys` and `values` are the places in use.
        before : those of a prefix that is kept once, each of shape (1, heads, places, width), or None.
        """

        def __init__(self, layer, rows: list[int], places: int, prefix: bool):
            super().__init__()
            vars(self).update(vars(layer))
            old, index = (layer.keys, layer.values), torch.tensor(rows, device=layer.keys.device)
            used = 0 if prefix else layer.keys.shape[-2]
            self.before, self.room = old if prefix else getattr(layer, "before", None), []
            for each in old:
                room = each.new_empty(each.shape[1], len(rows), used + places, each.shape[3]).transpose(0, 1)
                torch.index_select(each[:, :, :used], 0, index, out=room[:, :, :used])
                self.room.append(room)
            self.keys, self.values = (room[:, :, :used] for room in self.room)

        def get_seq_length(self) -> int:
            return self.keys.shape[-2] + (self.before[0].shape[-2] if self.before else 0)

        def update(self, key_states, value_states, *args, **kwargs):
            used = self.keys.shape[-2]
            end = used + key_states.shape[-2]
            for room, new in zip(self.room, (key_states, value_states), strict=True):
                room[:, :, used:end] = new
            self.keys, self.values = (room[:, :, :end] for room in self.room)
            self.keys.before = self.before
            return self.keys, self.values

    return Roomy


def rows_of(cache, rows: list[int], places: int, prefix: bool = False):
    """A cache of some rows of another, with room for so many more places; what the other holds stays as it is.

    prefix : the other is a prefix, and kept once. Raises TypeError if its layers are not all plain.
    """
    import torch
    from transformers.cache_utils import DynamicLayer

    def taken(layer):
        # to take every row is no reason to copy so much: there is room already, and its owners take turns
        every = rows == list(range(len(layer.keys)))
        if prefix and type(layer) is not DynamicLayer:
            raise TypeError(f"no prefix for a {type(layer).__name__}")
        if type(layer) is DynamicLayer or (type(layer) is _roomy() and not every):
            return _roomy()(layer, rows, places, prefix)
        # of another kind, as one with a sliding window, the tensors are only ever replaced, not written to
        layer = copy.copy(layer)
        if not every:
            layer.batch_select_indices(torch.tensor(rows, device=layer.keys.device))
        return layer

    new = copy.copy(cache)
    new.layers = [taken(layer) for layer in cache.layers]
    return new
