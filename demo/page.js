"use strict";
const DATA = JSON.parse(document.getElementById("data").textContent);
const at = (id) => document.getElementById(id);
const KINDS = ["image", "depth", "fused", "truth", "error"];
let current = -1, shownCloud = -1, timer = null;

function unpack(text, kind) {
  const bytes = Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
  return new kind(bytes.buffer);
}

function trace(part) {
  if (!part) return { x: [], y: [], z: [], color: [] };
  const xyz = unpack(part.xyz, Int16Array), rgb = unpack(part.rgb, Uint8Array);
  const n = xyz.length / 3, out = { x: [], y: [], z: [], color: [] };
  for (let i = 0; i < n; i++) {
    out.x.push(xyz[3 * i] / 100); out.y.push(xyz[3 * i + 1] / 100); out.z.push(xyz[3 * i + 2] / 100);
    // Night is dark on a screen too: lift it so that shapes can be seen.
    const lift = (v) => Math.round(255 * Math.pow(v / 255, 0.6));
    out.color.push(`rgb(${lift(rgb[3 * i])},${lift(rgb[3 * i + 1])},${lift(rgb[3 * i + 2])})`);
  }
  return out;
}

function showCloud(frame) {
  let best = 0;
  DATA.clouds.forEach((c, i) => {
    if (Math.abs(c.frame - frame) < Math.abs(DATA.clouds[best].frame - frame)) best = i;
  });
  if (best === shownCloud) return;
  shownCloud = best;
  const chosen = DATA.clouds[best], node = trace(chosen.node), truth = trace(chosen.truth);
  Plotly.restyle("cloud", { x: [node.x, truth.x], y: [node.y, truth.y], z: [node.z, truth.z],
    "marker.color": [node.color, truth.color] }, [0, 1]);
  at("cloudframe").textContent = `frame ${chosen.frame}`;
}

function show(index) {
  index = Math.max(0, Math.min(DATA.frames.length - 1, index));
  if (index === current) return;
  current = index;
  const frame = DATA.frames[index];
  at("slider").value = index;
  for (const kind of KINDS) at(kind).src = frame[kind];
  at("where").textContent = `frame ${index} of ${DATA.frames.length - 1} · ${frame.t.toFixed(1)} s`;
  at("light").textContent = `${frame.light} outside`;
  at("score").textContent = frame.abs_rel === null ? "dropped: overtaken by a newer frame"
    : `${frame.mode} network · AbsRel ${frame.abs_rel.toFixed(3)}`;
  at("fusedscore").textContent = frame.fused_abs_rel === null ? "no answer"
    : `AbsRel ${frame.fused_abs_rel.toFixed(3)}`;
  Plotly.restyle("trajectory", { x: [[frame.x]], y: [[frame.y]] }, [DATA.marker]);
  const line = `shapes[${DATA.cursor}]`;
  Plotly.relayout("timeline", { [`${line}.x0`]: frame.t, [`${line}.x1`]: frame.t });
  showCloud(index);
}

function pause() {
  clearInterval(timer); timer = null;
  at("play").innerHTML = "&#9654; play";
}

function play() {
  if (timer) return pause();
  if (current === DATA.frames.length - 1) show(0);
  at("play").innerHTML = "&#10074;&#10074; pause";
  timer = setInterval(() => {
    show(current + 1);
    if (current === DATA.frames.length - 1) pause();
  }, 100);
}

const options = { displaylogo: false, responsive: true };
Promise.all(["cloud", "trajectory", "timeline"].map((id) =>
  Plotly.newPlot(id, DATA.figures[id].data, DATA.figures[id].layout, options))).then(() => {
  at("slider").addEventListener("input", (event) => { pause(); show(Number(event.target.value)); });
  at("play").addEventListener("click", play);
  document.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (step && event.target !== at("slider")) { pause(); show(current + step); }
  });
  at("timeline").on("plotly_click", (event) => {
    const t = event.points[0].x;
    pause();
    show(DATA.frames.findIndex((frame) => frame.t >= t - 1e-6));
  });
  show(Math.round(Number(location.hash.slice(1)) || 0));
  document.body.dataset.ready = "yes";
});
