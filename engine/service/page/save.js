// The chosen layer as a file: its cells as CSV, the view as a picture with all that a reader of it has to know.

import { BASE, Refused, ask } from "./ask.js";
import { $, say } from "./dom.js";
import { t } from "./texts.js";

const WIDTH = 1600, EDGE = 40, INK = "#1c2430", SOFT = "#5a6675", SEA = "#dbe8f4", LAND = "#f4f1e7"; // as on a light screen
const FONT = "system-ui, sans-serif";

function save(blob, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

function fileName({ quantity, risk, scenario, period, reference }, kind) {
  const window = (of) => `${of.scenario.name.replaceAll(" ", "-")}-${of.period.name}`;
  return `${quantity}-${risk}-${window({ scenario, period })}${reference ? `-against-${window(reference)}` : ""}.${kind}`;
}

// Words of a text in lines that are not wider than so many pixels
export function wrapped(context, text, width) {
  const lines = [];
  for (const word of text.split(/\s+/).filter(Boolean)) {
    const longer = lines.length ? `${lines.at(-1)} ${word}` : word;
    if (lines.length && context.measureText(longer).width <= width) lines[lines.length - 1] = longer;
    else lines.push(word);
  }
  return lines;
}

// A pen that writes line under line; without a canvas of full height it only measures
class Pen {
  constructor(context) {
    this.context = context;
    this.y = EDGE;
  }

  write(text, size, { bold = false, colour = INK } = {}) {
    if (!text) return;
    Object.assign(this.context, { font: `${bold ? 700 : 400} ${size}px ${FONT}`, fillStyle: colour, textBaseline: "top" });
    for (const line of wrapped(this.context, text, WIDTH - 2 * EDGE)) {
      this.context.fillText(line, EDGE, this.y);
      this.y += size * 1.4;
    }
  }

  legend(box) {
    const { context } = this;
    let x = EDGE;
    context.font = `400 22px ${FONT}`;
    for (const row of box.querySelectorAll("div")) {
      const text = row.querySelector("span").textContent, swatch = row.querySelector("i"), width = 50 + context.measureText(text).width;
      if (x + width > WIDTH - EDGE) [x, this.y] = [EDGE, this.y + 36];
      if (swatch.classList.contains("hatched")) hatch(context, x, this.y);
      else Object.assign(context, { fillStyle: swatch.style.background }).fillRect(x, this.y, 32, 24);
      Object.assign(context, { strokeStyle: "#8794a4", lineWidth: 1 }).strokeRect(x, this.y, 32, 24);
      context.fillStyle = INK;
      context.fillText(text, x + 40, this.y);
      x += width + 24;
    }
    this.y += 44;
  }
}

function hatch(context, x, y) {
  Object.assign(context, { strokeStyle: "#404040", lineWidth: 2 });
  context.beginPath();
  for (let at = 4; at < 32; at += 7) { context.moveTo(x + at, y + 24); context.lineTo(x + at + 4, y); }
  context.stroke();
}

// The view of the map, as wide as the picture; lines keep their width in pixels
function drawMap(context, image, map, top) {
  const { view, full } = map, scale = (WIDTH - 2 * EDGE) / view.w;
  context.save();
  context.beginPath();
  context.rect(EDGE, top, WIDTH - 2 * EDGE, view.h * scale);
  context.clip();
  Object.assign(context, { fillStyle: "#f6f8fa", imageSmoothingEnabled: false }).fillRect(EDGE, top, WIDTH, view.h * scale);
  context.translate(EDGE - view.x * scale, top - view.y * scale);
  context.scale(scale, scale);
  Object.assign(context, { fillStyle: SEA }).fillRect(full.x, full.y, full.w, full.h);
  Object.assign(context, { fillStyle: LAND }).fill(new Path2D(map.part("land").getAttribute("d") ?? ""), "evenodd");
  if (!map.meta.apart) context.drawImage(image, full.x, full.y, full.w, full.h);
  context.strokeStyle = "#26323f";
  for (const [name, width, dashes] of [["provinces", 1.2, [6, 4]], ["coastline", 1.6, []]]) {
    context.lineWidth = width / scale;
    context.setLineDash(dashes.map((part) => part / scale));
    context.stroke(new Path2D(map.part(name).getAttribute("d") ?? ""));
  }
  context.setLineDash([]);
  context.lineCap = "round";
  for (const dot of map.places.children) {
    const isEdge = dot.classList.contains("edge");
    Object.assign(context, { lineWidth: (isEdge ? 22 : 18) / scale, strokeStyle: isEdge ? "#26323f" : dot.style.stroke });
    context.stroke(new Path2D(dot.getAttribute("d")));
  }
  context.restore();
  context.save();
  context.beginPath();
  context.rect(EDGE, top, WIDTH - 2 * EDGE, view.h * scale);
  context.clip();
  for (const label of map.part("labels").querySelectorAll("text")) {
    const { e, f } = label.transform.baseVal.consolidate().matrix, [x, y] = [EDGE + (e - view.x) * scale, top + (f - view.y) * scale];
    Object.assign(context, { font: `${label.classList.contains("province") ? 700 : 400} 22px ${FONT}`, textAlign: "center", textBaseline: "alphabetic", lineWidth: 5, strokeStyle: "#ffffffd9", fillStyle: "#16202b" });
    context.strokeText(label.textContent, x, y);
    context.fillText(label.textContent, x, y);
  }
  context.restore();
  return view.h * scale;
}

// Promise of a PNG: title, map, legend, notes, run, edition and citation. panel: a `Panel`
export async function pictureOf(panel) {
  const { map, meta } = panel, image = await createImageBitmap(map.picture), title = panel.title();
  const cite = { run: meta.run_id, edition: meta.edition, published: meta.published_at.slice(0, 10), address: BASE };
  const draw = (context) => {
    const pen = new Pen(context);
    pen.write(title, 36, { bold: true });
    if (!$("warning").hidden) pen.write($("warning").textContent, 24, { colour: "#5c3c00" });
    pen.y += 12;
    pen.y += drawMap(context, image, map, pen.y) + 20;
    pen.write(panel.$("legend").querySelector("strong").textContent, 24, { bold: true });
    pen.legend(panel.$("legend"));
    const texts = [panel.$("note").textContent, $("edition").textContent, $("run").textContent, t("save.cite", cite)];
    for (const text of texts) pen.write(text, 20, { colour: SOFT });
    return pen.y + EDGE;
  };
  const height = Math.ceil(draw(new OffscreenCanvas(WIDTH, 1).getContext("2d")));
  const canvas = new OffscreenCanvas(WIDTH, height), context = canvas.getContext("2d");
  Object.assign(context, { fillStyle: "#ffffff" }).fillRect(0, 0, WIDTH, height);
  draw(context);
  return canvas.convertToBlob({ type: "image/png" });
}

// What is chosen as a file, where it is what is shown. panel: a `Panel`
export function startSaving(panel) {
  const guarded = (make, kind) => async () => {
    if (!panel.layer || panel.layer !== panel.address) return say(panel.$("message"), t("save.nothing"));
    try {
      const name = fileName(panel.chosen(), kind);
      save(await make(), name);
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      say(panel.$("message"), error.message, true);
    }
  };
  for (const kind of ["csv", "tif"]) {
    panel.$(kind).addEventListener("click", guarded(async () => (await ask(`api/v1/map/${panel.address}&format=${kind}`)).blob(), kind));
  }
  panel.$("png").addEventListener("click", guarded(() => pictureOf(panel), "png"));
}
