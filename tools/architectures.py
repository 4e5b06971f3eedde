"""Which architectures `lm.measure` measures, and how: writes benchmarks/architectures.csv.

Each is made small with random weights, without a network, and its numbers are compared with whole passes, one a token.
Columns: architecture, agrees (True, False, or empty where it is refused), how (shared cache, alone, refused), why.
"""

import argparse
import warnings
from pathlib import Path

import ladder
import numpy as np
import pandas as pd
import torch
import transformers

from mirage_lib import families, lm, tasks
from mirage_lib.items import ragged

SIZES = {"vocab_size": len(ladder.VOCABULARY["arithmetic"]), "bos_token_id": 0, "eos_token_id": 0, "pad_token_id": 0}
# the names that configurations have for the same settings
PLAIN = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4}
PLAIN |= {"max_position_embeddings": 128}
GROUPED = PLAIN | {"num_key_value_heads": 2}
HEADS = GROUPED | {"head_dim": 8}
GPT = {"n_embd": 32, "n_layer": 2, "n_head": 4, "n_positions": 128}
DECODER = {"d_model": 32, "decoder_layers": 2, "decoder_attention_heads": 4, "decoder_ffn_dim": 64}
DECODER |= {"encoder_layers": 1, "encoder_attention_heads": 4, "encoder_ffn_dim": 64, "max_position_embeddings": 128}
SIGHT = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 1, "num_attention_heads": 2}
SIGHT |= {"image_size": 28, "patch_size": 14, "vision_use_head": False}
# what the table shows -> (configuration, its settings)
ARCHITECTURES = {
    "GPT-NeoX (Pythia)": ("GPTNeoXConfig", PLAIN),
    "GPT-2": ("GPT2Config", GPT),
    "GPT-J": ("GPTJConfig", GPT | {"rotary_dim": 4}),
    "GPT-Neo": ("GPTNeoConfig", {"hidden_size": 32, "num_layers": 2, "num_heads": 4, "max_position_embeddings": 128}
                | {"attention_types": [[["global", "local"], 1]], "window_size": 16}),
    "GPT-BigCode": ("GPTBigCodeConfig", GPT),
    "Llama": ("LlamaConfig", GROUPED),
    "Llama, looking ahead": ("LlamaConfig", GROUPED | {"is_causal": False}),
    "Mistral, window of 16": ("MistralConfig", GROUPED | {"sliding_window": 16}),
    "Mixtral": ("MixtralConfig", GROUPED | {"num_local_experts": 4}),
    "Qwen2": ("Qwen2Config", GROUPED),
    "Qwen3": ("Qwen3Config", HEADS),
    "Gemma": ("GemmaConfig", HEADS),
    "Gemma 2": ("Gemma2Config", HEADS),
    "Gemma 3, text": ("Gemma3TextConfig", HEADS),
    "Gemma 3, text and images": ("Gemma3Config", {}),
    "Phi": ("PhiConfig", PLAIN),
    "Phi-3": ("Phi3Config", GROUPED),
    "OLMo": ("OlmoConfig", PLAIN),
    "OLMo 2": ("Olmo2Config", PLAIN),
    "Falcon": ("FalconConfig", PLAIN),
    "BLOOM": ("BloomConfig", {"hidden_size": 32, "n_layer": 2, "n_head": 4}),
    "MPT": ("MptConfig", {"d_model": 32, "n_layers": 2, "n_heads": 4, "max_seq_len": 128}),
    "OPT": ("OPTConfig", PLAIN | {"ffn_dim": 64, "word_embed_proj_dim": 32}),
    "StableLM": ("StableLmConfig", PLAIN | {"num_key_value_heads": 4}),
    "Cohere": ("CohereConfig", GROUPED),
    "Granite": ("GraniteConfig", GROUPED),
    "Starcoder2": ("Starcoder2Config", GROUPED),
    "CodeGen": ("CodeGenConfig", GPT | {"rotary_dim": 4}),
    "Mamba": ("MambaConfig", {"hidden_size": 32, "num_hidden_layers": 2, "state_size": 4}),
    "RWKV": ("RwkvConfig", {"hidden_size": 32, "num_hidden_layers": 2, "attention_hidden_size": 32}),
    "BART, decoder": ("BartConfig", DECODER),
    "Marian, decoder": ("MarianConfig", DECODER | {"decoder_start_token_id": 0}),
    "RoBERTa, as a decoder": ("RobertaConfig", PLAIN | {"is_decoder": True}),
    "BERT, an encoder": ("BertConfig", PLAIN),
    "XLNet": ("XLNetConfig", {"d_model": 32, "n_layer": 2, "n_head": 4, "d_inner": 64}),
}  # fmt: skip


def small(name: str) -> families.Model:
    """A small model of an architecture, with random weights that are large enough for prompts to matter."""
    kind, settings = ARCHITECTURES[name]
    if kind == "Gemma3Config":
        tokens = {"mm_tokens_per_image": 4, "boi_token_index": 3, "eoi_token_index": 4, "image_token_index": 5}
        config = transformers.Gemma3Config(text_config=SIZES | HEADS, vision_config=SIGHT, **tokens)
        make = transformers.Gemma3ForConditionalGeneration
    else:
        config = getattr(transformers, kind)(**SIZES | settings)
        make = transformers.AutoModelForCausalLM.from_config
    torch.manual_seed(0)
    network = make(config).eval()
    with torch.no_grad():
        for weight in network.parameters():
            if weight.ndim == 2:
                weight.mul_(5)
    network.generation_config.eos_token_id = 0
    return families.Model(network, ladder.tokenizer(), name, name, families.non_embedding(network), 0.0, "none")


@torch.no_grad()
def agrees(model: families.Model, task: pd.DataFrame, items: pd.DataFrame, most: int) -> bool:
    """Whether log-probabilities and answers are those of whole passes of a length, one a token."""
    size, ends = len(model.tokenizer), lm.stops(model.tokenizer, model.network)

    def logits(ids):
        return model.network(input_ids=torch.tensor([ids]), use_cache=False).logits[0, :, :size].float()

    said = [ragged(items, name).lists() for name in ("logprob", "output")]
    for row, target, logprob, output in zip(lm.encode(model.tokenizer, task), items["target"], *said, strict=True):
        along = logits(row.prompt + row.target).log_softmax(-1)[len(row.prompt) - 1 : -1]
        answer: list[int] = []
        while len(answer) < most and not (answer and answer[-1] in ends):
            answer.append(int(logits(row.prompt + answer)[-1].argmax()))
        if output != answer or not np.allclose(logprob, along[range(len(target)), row.target], atol=1e-4):
            return False
    return True


def trial(name: str) -> tuple[str, bool | None, str, str]:
    """A row of the table: architecture, agrees, how, why."""
    prompts = ["1+1=2\n12+34=46\n" + text for text in ("5+5=", "7*8=", "123+4=", "99*99=", "1=", "31+1415=")]
    targets = ["10\n", "56\n", "127\n", "9801\n", "1\n", "1446\n"]
    rows = [("trial", i, 0, *pair, 0) for i, pair in enumerate(zip(prompts, targets, strict=True))]
    task = pd.DataFrame(rows, columns=tasks.COLUMNS)
    try:
        model = small(name)
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always")
            items = lm.measure(model, task, max_tokens=8)
    except ValueError as error:
        return name, None, "refused", str(error).replace(name, "it")
    except Exception as error:  # by the architecture itself, in this size
        return name, None, "failed", f"{type(error).__name__}: {error}"
    why = next((str(w.message).partition("(")[2].rpartition(")")[0] for w in said if "alone" in str(w.message)), "")
    return name, agrees(model, task, items, 8), "alone" if why else "shared cache", why


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    out = Path(__file__).parent.parent / "benchmarks" / "architectures.csv"
    parser.add_argument("--out", type=Path, default=out, help="the table to write")
    parser.add_argument("names", nargs="*", help="architectures; all by default")
    arguments = parser.parse_args()
    transformers.utils.logging.set_verbosity_error()
    table = pd.DataFrame(map(trial, arguments.names or ARCHITECTURES), columns=["architecture", "agrees", "how", "why"])
    table.to_csv(arguments.out, index=False)
    print(table.to_string(index=False))


if __name__ == "__main__":
    main()
