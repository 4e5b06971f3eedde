// Runs the ladder's models where they are read: every size continues what the reader typed, and every metric scores
// that one answer. They have Pythia's architecture (GPT-NeoX), one character a token; tools/pack_ladder.py packs them.

// ---- in a worker, so that the page stays alive. A page opened as a file may start no worker from another file: the
// source text of this function becomes the worker, and nothing outside of the function is known in it.
function ladderWorker() {
  const models = {};

  // float16 as two bytes, the low one first: few browsers read it by themselves. With exponent 0 it has no leading one.
  function fromHalf(base64) {
    const bytes = atob(base64);
    return new Float32Array(bytes.length / 2).map((_, i) => {
      const half = bytes.charCodeAt(2 * i) | (bytes.charCodeAt(2 * i + 1) << 8);
      const exponent = (half >> 10) & 31, fraction = half & 1023;
      return (half >> 15 ? -1 : 1) * (exponent ? (1024 + fraction) * 2 ** (exponent - 25) : fraction * 2 ** -24);
    });
  }

  // The error function by the series whose terms all have one sign, so nothing cancels; beyond 6 it is 1 in doubles.
  function erf(x) {
    if (Math.abs(x) > 6) return Math.sign(x);
    let term = x, sum = x;
    for (let n = 3; Math.abs(term) > 1e-16 * Math.abs(sum); n += 2) sum += term *= (2 * x * x) / n;
    return (2 / Math.sqrt(Math.PI)) * Math.exp(-x * x) * sum;
  }
  function dot(x, matrix, start) {
    let sum = 0;
    for (let i = 0; i < x.length; i++) sum += x[i] * matrix[start + i];
    return sum;
  }
  function logSumExp(x) {
    const most = Math.max(...x); // without it exp overflows
    return most + Math.log(x.reduce((sum, value) => sum + Math.exp(value - most), 0));
  }

  class Model {
    constructor({ config, sizes, half }) {
      Object.assign(this, config, { weights: {} }); // layers, width, heads, rotary, theta, epsilon, context
      const all = fromHalf(half), cache = () => new Float64Array(this.context * this.width);
      let start = 0;
      for (const [name, size] of sizes) this.weights[name] = all.subarray(start, (start += size));
      [this.keys, this.values] = [0, 1].map(() => Array.from({ length: this.layers }, cache));
    }
    affine(name, x) {
      const weight = this.weights[`${name}.weight`], bias = this.weights[`${name}.bias`];
      return new Float64Array(weight.length / x.length).map((_, i) => dot(x, weight, i * x.length) + (bias?.[i] ?? 0));
    }
    norm(name, x) {
      const weight = this.weights[`${name}.weight`], bias = this.weights[`${name}.bias`];
      const mean = x.reduce((sum, value) => sum + value) / x.length, centred = x.map((value) => value - mean);
      const deviation = Math.sqrt(dot(centred, centred, 0) / x.length + this.epsilon);
      return centred.map((value, i) => (value / deviation) * weight[i] + bias[i]);
    }

    // Rotary positions: the first `rotary` dimensions of a head turn in pairs, whose members are half of them apart.
    turn(head) {
      for (let i = 0, apart = this.rotary / 2; i < apart; i++) {
        const angle = this.position / this.theta ** (i / apart), a = head[i], b = head[i + apart];
        head[i] = a * Math.cos(angle) - b * Math.sin(angle);
        head[i + apart] = b * Math.cos(angle) + a * Math.sin(angle);
      }
    }

    attention(layer, x) {
      const name = `gpt_neox.layers.${layer}.attention`, size = this.width / this.heads;
      const keys = this.keys[layer], values = this.values[layer], mixed = new Float64Array(this.width);
      const joined = this.affine(`${name}.query_key_value`, x); // one head's query, key and value, then the next's
      for (let first = 0; first < this.width; first += size) {
        const own = (part) => joined.subarray(3 * first + part * size, 3 * first + (part + 1) * size);
        [own(0), own(1)].forEach((head) => this.turn(head));
        keys.set(own(1), this.position * this.width + first);
        values.set(own(2), this.position * this.width + first);
        const fit = new Float64Array(this.position + 1);
        for (let i = 0; i < fit.length; i++) fit[i] = dot(own(0), keys, i * this.width + first) / Math.sqrt(size);
        const total = logSumExp(fit);
        fit.forEach((value, past) => {
          const share = Math.exp(value - total);
          for (let i = first; i < first + size; i++) mixed[i] += share * values[past * this.width + i];
        });
      }
      return this.affine(`${name}.dense`, mixed);
    }

    // Reads a token, and keeps its keys and values; returns the logits of the next.
    step(token) {
      const embedded = this.weights["gpt_neox.embed_in.weight"].subarray(token * this.width, (token + 1) * this.width);
      let x = Float64Array.from(embedded);
      for (let layer = 0; layer < this.layers; layer++) {
        const name = `gpt_neox.layers.${layer}`;
        const attended = this.attention(layer, this.norm(`${name}.input_layernorm`, x));
        const inner = this.affine(`${name}.mlp.dense_h_to_4h`, this.norm(`${name}.post_attention_layernorm`, x));
        const fed = this.affine(`${name}.mlp.dense_4h_to_h`, inner.map((z) => (z / 2) * (1 + erf(z / Math.SQRT2))));
        x = x.map((value, i) => value + attended[i] + fed[i]); // both read the same x, side by side
      }
      this.position += 1;
      return this.affine("embed_out", this.norm("gpt_neox.final_layer_norm", x));
    }

    // Log-probability of each token of the target, given those before it; and the model's own answer, at most as long.
    ask(prompt, target, ends) {
      this.position = 0;
      const begun = prompt.map((token) => this.step(token)).at(-1), logprob = [], answer = [];
      target.forEach((token, i) => {
        const logits = i ? this.step(target[i - 1]) : begun;
        logprob.push(logits[token] - logSumExp(logits));
      });
      this.position = prompt.length; // what was kept from here on is written over
      while (answer.length < target.length && !ends.includes(answer.at(-1))) {
        const logits = answer.length ? this.step(answer.at(-1)) : begun;
        answer.push(logits.indexOf(Math.max(...logits)));
      }
      return { logprob, answer };
    }
  }
  onmessage = ({ data: { packed, name, prompt, target, ends } }) => {
    if (packed) models[packed.name] = new Model(packed);
    else postMessage(models[name].ask(prompt, target, ends));
  };
}

// ---- in the page: weights are fetched, models are asked
const askLadder = (() => {
  const here = document.currentScript.src, loading = {}, known = {}, waiting = [];
  let worker;
  // What a file of weights calls. They are scripts: a page opened as a file may read nothing else from beside it.
  window.mirageLadder = (packed) => {
    if (!worker) {
      worker = new Worker(URL.createObjectURL(new Blob([`(${ladderWorker})()`], { type: "text/javascript" })));
      worker.onmessage = ({ data }) => waiting.shift().resolve(data); // it answers in the order of the questions
      worker.onerror = ({ message }) => waiting.shift()?.reject(new Error(message));
    }
    known[packed.name] = { vocabulary: packed.vocabulary, context: packed.config.context };
    worker.postMessage({ packed });
  };
  const load = (name) => (loading[name] ??= new Promise((resolve, reject) => {
    const script = document.createElement("script");
    script.src = new URL(`ladder/${name}.js`, here);
    script.onload = resolve;
    script.onerror = () => {
      delete loading[name]; // it may come at the next attempt
      reject(new Error(`The weights of ${name} could not be fetched.`));
    };
    document.head.append(script);
  }));

  // The log-probability of each character of the target, and the model's own answer, which ends with its line.
  return async (name, prompt, target) => {
    await load(name);
    const { vocabulary, context } = known[name];
    const encode = (text) => Array.from(text, (character) => {
      if (!vocabulary.includes(character)) throw new Error(`These models do not know the character “${character}”.`);
      return vocabulary.indexOf(character);
    });
    const wanted = encode(target), begun = encode(prompt).slice(wanted.length - context); // its end, if it is too long
    worker.postMessage({ name, prompt: begun, target: wanted, ends: [0, vocabulary.indexOf("\n")] });
    const { logprob, answer } = await new Promise((resolve, reject) => waiting.push({ resolve, reject }));
    return { logprob, answer: answer.map((token) => vocabulary[token]), target: [...target] };
  };
})();

// ---- what the reader sees
const escaped = (text) => text.replace(/[&<"]/g, (character) => `&#${character.charCodeAt()};`);
const visible = (text) => escaped(text.replace("<|endoftext|>", "■")).replaceAll(" ", "·").replaceAll("\n", "¶");
const spoken = (text) => ({ " ": "space", "\n": "line end", "": "nothing" })[text] ?? escaped(text);
const chance = (p) => (p >= 0.001 ? p.toFixed(3) : p.toExponential(1));
const sum = (numbers) => numbers.reduce((a, b) => a + b, 0);
const editDistance = (a, b) => a.reduce((row, one, i) => {
  const next = [i + 1];
  b.forEach((other, j) => next.push(Math.min(row[j] + (one !== other), row[j + 1] + 1, next[j] + 1)));
  return next;
}, [0, ...b.map((_, j) => j + 1)]).at(-1);
const errors = ({ answer, target }, length) => editDistance(answer.slice(0, length), target.slice(0, length));

// One size: the probability of each right character, its own answer below, and what every metric makes of the first L.
function card({ name, params }, given, length) {
  const nats = 0 - sum(given.logprob.slice(0, length)), distance = errors(given, length), seen = [], told = [];
  given.target.forEach((right, i) => {
    const own = given.answer[i] ?? "", p = chance(Math.exp(given.logprob[i])), mark = own === right ? "u" : "s";
    seen.push(`<span class="${i < length ? "" : "beyond"}" title="${p}"><i style="--p: ${p}"></i>
      <b>${visible(right)}</b><${mark}>${visible(own)}</${mark}></span>`);
    told.push(`${spoken(right)} ${p}, its own answer ${spoken(own)}`);
  });
  const scores = { "exact match": distance ? 0 : 1, "edit distance": distance, "CE in nats": nats.toFixed(2) };
  scores["exp(−CE)"] = chance(Math.exp(-nats));
  return `<li><p><b>${name.split("-")[1]}</b> ${params.toLocaleString("en")} parameters</p>
    <div class="letters" role="img" aria-label="Probability of ${told.join("; ")}">${seen.join("")}</div>
    <dl>${Object.entries(scores).map(([name, value]) => `<div><dt>${name}</dt><dd>${value}</dd></div>`).join("")}</dl></li>`;
}

function build(box) {
  const models = JSON.parse(box.dataset.models), presets = JSON.parse(box.dataset.presets), answers = new Map();
  const sums = box.dataset.family === "arithmetic", stop = sums ? "\n" : ""; // an answer to a sum ends with its line
  const some = models.filter(({ params }) => params < 1e6), large = models.filter(({ params }) => params >= 1e6);
  const size = (listed) => `${(sum(listed.map(({ params }) => params)) * 8 / 3e6).toFixed(1)} MB`; // 2 bytes, in base64
  const options = presets.map(([, ...line]) => `<option>${visible(line.join("").trim())}</option>`).join("");
  const typed = 'autocomplete="off" autocapitalize="off" spellcheck="false" required';
  box.innerHTML = `<form>
    <label>Example <select name="preset">${options}</select></label>
    <label>${sums ? "Solved examples" : "Lines before"} <textarea name="before" rows="3" spellcheck="false"></textarea></label>
    <label>${sums ? "Sum or product" : "Beginning of a line"} <input name="begun" ${typed}></label>
    <label>${sums ? "Right answer" : "What should follow"} <input name="target" maxlength="32" ${typed}></label>
    <label>L, the characters that count: <span></span><input type="range" name="count" min="1"></label>
    <label><input type="checkbox" name="large"> Ask the largest too (${size(large)})</label><button>Ask</button></form>
    <p role="status">Nothing is fetched before you ask; then ${size(some)}, once.</p>
    <p hidden>A bar is the probability of the character below it, the right one. Under that is the model’s own:
    <u>underlined</u> if it is the right one, <s>struck out</s> if not. Pale ones do not count. · is a space, ¶ the end
    of a line.</p><ol></ol>`;
  const [form, status, key, list] = box.children, field = form.elements;
  let asked = [], run = 0;

  // Another L asks no model again: what was measured once is scored anew.
  function score() {
    const length = +field.count.value, right = [...answers.values()].filter((given) => !errors(given, length)).length;
    form.querySelector("span").textContent = `${length} of ${field.count.max}`;
    if ((key.hidden = !answers.size)) return;
    list.innerHTML = [...answers].map(([model, given]) => card(model, given, length)).join("");
    status.textContent = `${answers.size} of ${asked.length} sizes have answered, ${right} with the first ${length} right.`;
  }
  function measure() {
    field.count.max = (field.target.value + stop).length;
    field.count.value = field.count.max;
    score();
  }
  function choose() {
    answers.clear(); [field.before.value, field.begun.value, field.target.value] = presets[field.preset.selectedIndex];
    measure();
  }
  async function ask() {
    const mine = (run += 1), prompt = field.before.value + field.begun.value, target = field.target.value + stop;
    asked = field.large.checked ? models : some;
    answers.clear();
    status.textContent = "Fetching the models.";
    for (const model of asked) {
      const given = await askLadder(model.name, prompt, target);
      if (mine !== run) return; // something else was asked meanwhile
      answers.set(model, given);
      score();
    }
  }
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    ask().catch(({ message }) => { status.textContent = message; });
  });
  field.preset.addEventListener("change", choose);
  field.count.addEventListener("input", score);
  field.target.addEventListener("input", measure);
  choose();
}

document.querySelectorAll(".mirage-models").forEach(build);
