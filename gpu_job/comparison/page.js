"use strict";
// Plays both dancers in step on the clock of the comparison. What there is to read is in the page itself.
const DATA = JSON.parse(document.getElementById("data").textContent);
const AT = new Map(DATA.landmarks.map((landmark, place) => [landmark, 2 * place]));
const TRUNK = [11, 12, 24, 23];
const BONES = {
  left_arm: [[11, 13], [13, 15]], right_arm: [[12, 14], [14, 16]],
  left_leg: [[23, 25], [25, 27], [27, 31]], right_leg: [[24, 26], [26, 28], [28, 32]],
  torso: [[11, 12], [12, 24], [24, 23], [23, 11]], head: [],
};
const LIMBS = [...BONES.left_arm, ...BONES.right_arm, ...BONES.left_leg, ...BONES.right_leg];
const SPEEDS = [1, 0.5, 0.25];

const colour = name => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const clockOf = s => {
  const tenths = Math.round(Math.abs(s) * 10);
  return `${s < 0 && tenths ? "−" : ""}${Math.floor(tenths / 600)}:${(tenths % 600 / 10).toFixed(1).padStart(4, "0")}`;
};
const between = (a, b, share) => a === null || b === null ? (share < 0.5 ? a : b) : a + (b - a) * share;

/** The figure of `side` at a point of the clock, which may lie between two; a function of landmark → [x, y] or null. */
function figure(section, side, point) {
  const low = Math.floor(point), high = Math.min(low + 1, section[side].length - 1), share = point - low;
  const one = section[side][low], other = section[side][high];
  return landmark => {
    const i = AT.get(landmark), x = between(one[i], other[i], share), y = between(one[i + 1], other[i + 1], share);
    return x === null || y === null ? null : [x / 100, y / 100];
  };
}

const middle = (...points) => points.some(p => p === null) ? null
  : [0, 1].map(axis => points.reduce((sum, p) => sum + p[axis], 0) / points.length);

class Pen {
  /** Draws in torso lengths: the stage as large as the box allows, its lower edge on that of the box. */
  constructor(context, stage, x, y, width, height) {
    const [left, top, right, bottom] = stage;
    this.context = context;
    this.unit = Math.min(width / (right - left), height / (bottom - top));
    this.x = x + width / 2 - this.unit * (left + right) / 2;
    this.y = y + height - this.unit * bottom;
  }
  to([x, y]) { return [this.x + x * this.unit, this.y + y * this.unit]; }
  line(points, width, ink, closed = false, filled = false) {
    if (points.some(p => p === null)) return;
    const c = this.context;
    c.beginPath();
    points.forEach((p, i) => i ? c.lineTo(...this.to(p)) : c.moveTo(...this.to(p)));
    if (closed) c.closePath();
    c.lineWidth = Math.max(1.5, width * this.unit);
    c.lineCap = c.lineJoin = "round";
    c.strokeStyle = c.fillStyle = ink;
    if (filled) c.fill();
    c.stroke();
  }
  head(at, breadth, ink) {
    const centre = middle(at(7), at(8)) ?? at(0);
    if (centre === null) return;
    this.line([middle(at(11), at(12)), centre], 0.13 * breadth, ink);
    const radius = 0.21 * (0.5 + breadth / 2) * this.unit, c = this.context;
    c.beginPath();
    c.ellipse(...this.to(centre), radius, radius * 1.15, 0, 0, 7);
    c.fillStyle = ink;
    c.fill();
  }
  bones(at, bones, breadth, ink) { for (const [a, b] of bones) this.line([at(a), at(b)], 0.13 * breadth, ink); }
  body(at, breadth, ink, filled) {
    this.line(TRUNK.map(at), 0.13 * breadth, ink, true, filled);
    this.bones(at, LIMBS, breadth, ink);
    this.head(at, breadth, ink);
  }
  limb(at, limb, breadth, ink) {
    this.bones(at, BONES[limb], breadth, ink);
    if (limb === "head") this.head(at, breadth, ink);
  }
  say(words) {
    const c = this.context;
    c.font = `14px ${getComputedStyle(document.body).fontFamily}`;
    c.textAlign = "center";
    c.fillStyle = colour("--soft");
    c.fillText(words, ...this.to([0, 0]));
  }
  floor(bottom, half) {
    const c = this.context;
    c.beginPath();
    c.ellipse(...this.to([0, bottom - 0.12]), half * this.unit, 0.09 * this.unit, 0, 0, 7);
    c.fillStyle = colour("--floor");
    c.fill();
  }
}

/** A context in CSS pixels, sharp on any screen, cleared. */
function fresh(canvas) {
  const { clientWidth: width, clientHeight: height } = canvas, ratio = window.devicePixelRatio || 1;
  canvas.width = Math.round(width * ratio);
  canvas.height = Math.round(height * ratio);
  const context = canvas.getContext("2d");
  context.scale(ratio, ratio);
  return [context, width, height];
}

function drawOver(canvas, section, point, limb = null) {
  const [context, width, height] = fresh(canvas);
  const pen = new Pen(context, section.stage, 0, 0, width, height);
  const teacher = figure(section, "teacher", point), student = figure(section, "student", point);
  pen.floor(section.stage[3], 0.9);
  pen.body(teacher, 1, colour("--teacher-pale"), true);
  pen.body(student, 0.45, colour(limb ? "--student-pale" : "--student"), false);
  if (!limb) return;
  pen.limb(teacher, limb, 1, colour("--teacher"));
  pen.limb(student, limb, 0.6, colour("--student"));
}

function drawBeside(canvas, section, point) {
  const [context, width, height] = fresh(canvas);
  for (const [place, side] of ["teacher", "student"].entries()) {
    const pen = new Pen(context, section.stage, place * width / 2, 0, width / 2, height);
    pen.floor(section.stage[3], 0.8);
    const at = figure(section, side, point);
    pen.body(at, 1, colour(`--${side}`), true);
    if (DATA.landmarks.every(landmark => at(landmark) === null)) pen.say("not seen");
  }
}

class Player {
  constructor(root, section) {
    this.section = section;
    this.find = name => root.querySelector(`[data-is="${name}"]`);
    this.root = root;
    this.point = 0;
    this.playing = false;
    this.speed = 0;
    this.over = false;
    this.last = section.teacher_s.length - 1;
    this.wire();
    const bothSeen = this.section.score.findIndex(score => score !== null);
    this.show(Math.max(0, bothSeen));
  }
  wire() {
    this.find("play").onclick = () => this.playing ? this.pause() : this.play();
    this.find("speed").onclick = () => this.setSpeed((this.speed + 1) % SPEEDS.length);
    for (const mode of ["beside", "over"]) this.find(mode).onclick = () => this.lay(mode === "over");
    this.find("slider").oninput = event => { this.pause(); this.show(Number(event.target.value)); };
    for (const chart of this.root.querySelectorAll("[data-is=chart]")) {
      chart.onpointerdown = event => { chart.setPointerCapture(event.pointerId); this.pause(); this.tapped(chart, event); };
      chart.onpointermove = event => { if (event.buttons) this.tapped(chart, event); };
    }
    for (const button of this.root.querySelectorAll("[data-point]"))
      button.onclick = () => { this.pause(); this.jump(Number(button.dataset.point), button.dataset.limb); };
  }
  tapped(chart, event) {
    const box = chart.getBoundingClientRect(), times = this.section.teacher_s;
    const share = Math.min(1, Math.max(0, (event.clientX - box.left) / box.width));
    this.show(this.pointAt(times[0] + share * (times[this.last] - times[0])));
  }
  jump(point, limb) {
    if (limb) this.lay(true);
    this.show(point, limb);
    this.find("stage").scrollIntoView({ block: "center", behavior: "smooth" });
  }
  /** The point of the clock at a time of the teacher's, with a fraction. */
  pointAt(time) {
    const times = this.section.teacher_s;
    let low = 0, high = this.last;
    while (high - low > 1) { const half = low + high >> 1; if (times[half] <= time) low = half; else high = half; }
    const span = times[high] - times[low];
    return span > 0 ? low + Math.min(1, Math.max(0, (time - times[low]) / span)) : low;
  }
  timeAt(side, point) {
    const times = this.section[side], low = Math.floor(point);
    return between(times[low], times[Math.min(low + 1, this.last)], point - low);
  }
  play() {
    if (this.point >= this.last) this.point = 0;
    this.playing = this.last > 0;
    this.label();
    const run = this.run = {};  // an earlier one ends where it finds another in its place
    let before = null, time = this.timeAt("teacher_s", this.point);
    const step = now => {
      if (!this.playing || this.run !== run) return;
      time += before === null ? 0 : Math.min(0.2, (now - before) / 1000) * SPEEDS[this.speed];
      before = now;
      this.show(this.pointAt(time));
      if (this.point >= this.last) this.pause(); else requestAnimationFrame(step);
    };
    requestAnimationFrame(step);
  }
  pause() { this.playing = false; this.label(); }
  label() {
    const button = this.find("play");
    button.setAttribute("aria-label", this.playing ? "Pause" : "Play");
    button.classList.toggle("playing", this.playing);
  }
  setSpeed(speed) {
    this.speed = speed;
    this.find("speed").textContent = ["1×", "½×", "¼×"][speed];
  }
  lay(over) {
    this.over = over;
    this.find("over").setAttribute("aria-pressed", over);
    this.find("beside").setAttribute("aria-pressed", !over);
    this.find("names").classList.toggle("over", over);
    this.draw();
  }
  show(point, limb = null) {
    this.point = point;
    this.limb = limb;
    const near = Math.round(point), slider = this.find("slider"), told = this.told(near);
    slider.value = near;
    slider.setAttribute("aria-valuetext", told);
    this.find("told").textContent = told;
    const times = this.section.teacher_s, span = times[this.last] - times[0];
    const share = span > 0 ? (this.timeAt("teacher_s", point) - times[0]) / span : 0;
    for (const cursor of this.root.querySelectorAll("[data-is=cursor]")) cursor.style.left = `${100 * share}%`;
    this.draw();
  }
  told(point) {
    const { section } = this, time = section.teacher_s[point], score = section.score[point], late = section.lateness_ms[point];
    const move = section.moves.find(each => each.start_s <= time && time < each.end_s);
    const words = [clockOf(time)];
    if (move) words.push(move.label);
    words.push(score === null ? "not seen" : `score ${Math.round(score / 10)}`);
    if (late !== null) words.push(Math.abs(late) < 33 ? "in time" : `${Math.abs(late)} ms ${late > 0 ? "late" : "early"}`);
    return words.join(" · ");
  }
  draw() {
    (this.over ? drawOver : drawBeside)(this.find("stage"), this.section, this.point, this.limb);
  }
  redraw() {
    this.draw();
    for (const canvas of this.root.querySelectorAll("canvas[data-worst]")) {
      const { point, limb } = this.section.worst[Number(canvas.dataset.worst)];
      drawOver(canvas, this.section, point, limb);
    }
  }
}

const players = [...document.querySelectorAll("[data-section]")].map(
  root => new Player(root, DATA.sections[Number(root.dataset.section)]));
const redraw = () => players.forEach(player => player.redraw());
redraw();
addEventListener("resize", redraw);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
