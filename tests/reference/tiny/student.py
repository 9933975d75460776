"""A narrow `CLIPModel`, written for training on two cores; its parameters have Hugging Face's names.

It differs from `transformers.CLIPModel` in speed only: patches may be dropped while training (as in
FLIP), queries, keys and values are one product, and the patch embedding works on 112 x 112 views in
16 x 16 patches. `export` spreads each of its weights over 2 x 2 pixels, a quarter each, which gives the
same numbers for a 224 x 224 picture as the trained weights for its 2 x 2 means.
"""

import math

import torch
import torch.nn.functional as F
from torch import nn

GRID = 7
BOS, EOT = 49406, 49407


def config(vision=(128, 4, 4), text=(48, 3, 3), projection=512):
    """config.json; towers as (width, layers, heads)."""
    def tower(width, layers, heads):
        return dict(hidden_size=width, intermediate_size=4 * width, num_hidden_layers=layers, num_attention_heads=heads,
                    hidden_act="quick_gelu", layer_norm_eps=1e-5, projection_dim=projection, attention_dropout=0.0)

    return {
        "architectures": ["CLIPModel"], "model_type": "clip", "projection_dim": projection,
        "logit_scale_init_value": 2.6592,
        "text_config": dict(tower(*text), model_type="clip_text_model", vocab_size=49408, max_position_embeddings=77,
                            bos_token_id=BOS, eos_token_id=EOT, pad_token_id=EOT),
        "vision_config": dict(tower(*vision), model_type="clip_vision_model", image_size=224, patch_size=32,
                              num_channels=3),
    }


class Attention(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.q_proj, self.k_proj, self.v_proj, self.out_proj = (nn.Linear(width, width) for _ in range(4))

    def forward(self, x, causal):
        n, t, d = x.shape
        linears = (self.q_proj, self.k_proj, self.v_proj)
        weight, bias = torch.cat([l.weight for l in linears]), torch.cat([l.bias for l in linears])
        qkv = F.linear(x, weight, bias).view(n, t, 3, self.heads, d // self.heads)
        q, k, v = qkv.permute(2, 0, 3, 1, 4)
        y = F.scaled_dot_product_attention(q, k, v, is_causal=causal)
        return self.out_proj(y.transpose(1, 2).reshape(n, t, d))


class Mlp(nn.Module):
    def __init__(self, width, inner):
        super().__init__()
        self.fc1, self.fc2 = nn.Linear(width, inner), nn.Linear(inner, width)

    def forward(self, x):
        x = self.fc1(x)
        return self.fc2(x * torch.sigmoid(1.702 * x))


class Layer(nn.Module):
    def __init__(self, c):
        super().__init__()
        d = c["hidden_size"]
        self.self_attn, self.mlp = Attention(d, c["num_attention_heads"]), Mlp(d, c["intermediate_size"])
        self.layer_norm1, self.layer_norm2 = nn.LayerNorm(d), nn.LayerNorm(d)

    def forward(self, x, causal):
        x = x + self.self_attn(self.layer_norm1(x), causal)
        return x + self.mlp(self.layer_norm2(x))


class Encoder(nn.Module):
    def __init__(self, c, causal):
        super().__init__()
        self.causal = causal
        self.layers = nn.ModuleList(Layer(c) for _ in range(c["num_hidden_layers"]))

    def forward(self, x):
        for layer in self.layers:
            x = layer(x, self.causal)
        return x


class Vision(nn.Module):
    def __init__(self, c):
        super().__init__()
        d = c["hidden_size"]
        self.embeddings = nn.Module()
        self.embeddings.class_embedding = nn.Parameter(torch.randn(d) * 0.02)
        self.embeddings.patch_embedding = nn.Conv2d(3, d, 16, stride=16, bias=False)
        self.embeddings.position_embedding = nn.Embedding(GRID * GRID + 1, d)
        self.pre_layrnorm, self.post_layernorm = nn.LayerNorm(d), nn.LayerNorm(d)
        self.encoder = Encoder(c, causal=False)
        local_attention(self)

    def forward(self, pixels, keep=None):
        """f32 [n, 3, 112, 112] -> [n, width]; `keep`: how many patches each picture keeps."""
        return self.post_layernorm(self.encoder(self.embedded(pixels, keep))[:, 0])

    def embedded(self, pixels, keep):
        """Class token and patches [n, 1 + patches, width], as the first layer gets them."""
        e = self.embeddings
        n, d = len(pixels), e.class_embedding.numel()
        patches = pixels.view(n, 3, GRID, 16, GRID, 16).permute(0, 2, 4, 1, 3, 5).reshape(n, GRID * GRID, -1)
        position = e.position_embedding.weight
        if keep is None:
            x = F.linear(patches, e.patch_embedding.weight.flatten(1)) + position[1:]
        else:
            chosen = torch.rand(n, GRID * GRID).argsort(1)[:, :keep]
            patches = patches.gather(1, chosen[..., None].expand(-1, -1, patches.shape[2]))
            x = F.linear(patches, e.patch_embedding.weight.flatten(1)) + position[1:][chosen]
        first = (e.class_embedding + position[0]).to(x.dtype).expand(n, 1, d)
        return self.pre_layrnorm(torch.cat([first, x], 1))


class Text(nn.Module):
    def __init__(self, c, rows):
        super().__init__()
        d = c["hidden_size"]
        self.embeddings = nn.Module()
        self.embeddings.token_embedding = nn.Embedding(rows, d)
        self.embeddings.position_embedding = nn.Embedding(c["max_position_embeddings"], d)
        self.encoder, self.final_layer_norm = Encoder(c, causal=True), nn.LayerNorm(d)

    def forward(self, ids):
        """Rows of the token embedding [n, t], EOT being row 0 -> [n, width]: the state at the first EOT."""
        e = self.embeddings
        x = e.token_embedding(ids) + e.position_embedding.weight[: ids.shape[1]]
        end = (ids == 0).int().argmax(1)
        return self.final_layer_norm(self.encoder(x)[torch.arange(len(ids)), end])


class Clip(nn.Module):
    """Both towers; the text tower has `rows` token embeddings, one for each token of the captions."""

    def __init__(self, cfg, rows):
        super().__init__()
        text, vision = cfg["text_config"], cfg["vision_config"]
        self.text_model, self.vision_model = Text(text, rows), Vision(vision)
        self.text_projection = nn.Linear(text["hidden_size"], cfg["projection_dim"], bias=False)
        self.visual_projection = nn.Linear(vision["hidden_size"], cfg["projection_dim"], bias=False)
        self.logit_scale = nn.Parameter(torch.tensor(math.log(12.0)))
        words, positions = self.text_model.embeddings.children()
        nn.init.normal_(words.weight, std=0.5)
        nn.init.normal_(positions.weight, std=0.05)
        # What is pooled (the end of text, the class token) starts with little of its own and gets the mean of
        # the others, unshrunk: else all vectors start alike, and a contrast of equals teaches nothing.
        nn.init.zeros_(words.weight[0])
        for module in self.modules():
            if isinstance(module, Attention):
                nn.init.orthogonal_(module.v_proj.weight), nn.init.orthogonal_(module.out_proj.weight)

    def images(self, pixels, keep=None):
        return F.normalize(self.visual_projection(self.vision_model(pixels, keep)).float(), dim=1)

    def texts(self, ids):
        return F.normalize(self.text_projection(self.text_model(ids)).float(), dim=1)


def waves(width, count, start=0, step=1):
    """Columns of the position embedding: sine and cosine of `count` frequencies, for x and for y."""
    half, pairs = width // 2, width // 4
    chosen = start + step * torch.arange(count)
    x = torch.stack([2 * chosen, 2 * chosen + 1], 1).flatten()
    return torch.cat([x, half + x]), (0.15 + 2.65 * chosen / pairs)


@torch.no_grad()
def local_attention(vision):
    """Starts positions as waves, and every head looking at one neighbour of each patch.

    A transformer that starts as a stack of small convolutions learns from few pictures better than one
    that starts at random (structured initialisation, Zheng et al. 2024). It is a start, not a constraint.
    """
    e = vision.embeddings
    d = e.class_embedding.numel()
    columns, frequency = waves(d, d // 4)
    y, x = torch.meshgrid(torch.arange(GRID), torch.arange(GRID), indexing="ij")
    position = torch.zeros(GRID * GRID + 1, d)
    for at, offset in ((x.flatten(), 0), (y.flatten(), d // 2)):
        angle = at[:, None] * frequency
        position[1:, offset:offset + d // 2:2], position[1:, offset + 1:offset + d // 2:2] = angle.sin(), angle.cos()
    e.position_embedding.weight.copy_(position)
    # A patch of normalised pixels then weighs about as much as its position.
    nn.init.normal_(e.patch_embedding.weight, std=0.7 / math.sqrt(3 * 16 * 16))
    neighbours = [(dx, dy) for dy in (-1, 0, 1) for dx in (-1, 0, 1)]
    for layer in vision.encoder.layers:
        attention = layer.self_attn
        heads, size = attention.heads, d // attention.heads
        order = torch.randperm(len(neighbours)).tolist()
        q, k = torch.randn(2, d, d) * 0.02
        for head in range(heads):
            mine, omega = waves(d, size // 4, head, heads)
            rows = slice(head * size, (head + 1) * size)
            q[rows][torch.arange(size), mine] += 1.4
            k[rows][torch.arange(size), mine] += 1.4
            dx, dy = neighbours[order[head % len(neighbours)]]
            # Turning the waves of a key by -offset makes it answer the query at `offset` from it.
            for pair in range(size // 2):
                shift = (dx if pair < size // 4 else dy) * omega[pair % (size // 4)]
                i = head * size + 2 * pair
                a, b = k[i].clone(), k[i + 1].clone()
                k[i], k[i + 1] = a * torch.cos(shift) - b * torch.sin(shift), a * torch.sin(shift) + b * torch.cos(shift)
        attention.q_proj.weight.copy_(q)
        attention.k_proj.weight.copy_(k)
        nn.init.zeros_(attention.q_proj.bias), nn.init.zeros_(attention.k_proj.bias)


@torch.no_grad()
def export(state, tokens, reached):
    """Tensors of a `CLIPModel` in f16, from a `Clip` state.

    Row i of the token embedding becomes row `tokens[i]` of 49,408, the others are zero. Positions that
    no caption reached repeat the last of the `reached` ones.
    """
    out = {name: value.clone() for name, value in state.items()}
    patch = "vision_model.embeddings.patch_embedding.weight"
    out[patch] = out[patch].repeat_interleave(2, 2).repeat_interleave(2, 3) / 4
    name = "text_model.embeddings.token_embedding.weight"
    table = torch.zeros(49408, out[name].shape[1])
    table[tokens] = out[name]
    out[name] = table
    position = out["text_model.embeddings.position_embedding.weight"]
    position[reached:] = position[reached - 1]
    out = {name: value.half().contiguous() for name, value in out.items()}
    assert all(value.isfinite().all() for value in out.values())
    return out
