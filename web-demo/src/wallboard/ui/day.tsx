import { useEffect, useRef, useState } from "preact/hooks";
import { hourOfDay, percent, timeOfDay } from "../../centre/format";
import { read, write } from "../../storage";
import { useCentre } from "../../ui/shell/context";
import { axis, bars, hourMarks, isBusy, levelLines, type Slot, slotsOf } from "../chart";
import { useWallboard } from "../context";
import { W } from "../words";

/** In units that are pixels at the page's usual size of text, and more where everything is larger. */
const MARGIN = { left: 34, right: 8, top: 8, bottom: 22 };
/** That of `.chart` in the style sheet, at the usual size of text. */
const HEIGHT = 200;

/** The day by quarters of an hour: of a queue, or of all together. */
export function Day() {
  const { day, queues } = useWallboard();
  const { now } = useCentre();
  const [wanted, setWanted] = useState(read<string>("day") ?? "");
  const queue = queues.value.find(({ id }) => id === wanted);
  const name = queue?.name ?? W.allQueues;
  // The clock decides only which slots there are: not with each second.
  const slots = slotsOf(day.numbers.value, queue?.id ?? "", now.peek());
  return (
    <section class="card day" aria-labelledby="day-title">
      <div class="list-head">
        <h2 id="day-title">
          {W.day} <span class="quiet">{W.chartOf}</span>
        </h2>
        <div class="list-tools">
          <select
            id="day-queue"
            aria-label={W.inQueue}
            value={queue?.id ?? ""}
            onChange={(event) => {
              setWanted(event.currentTarget.value);
              write("day", event.currentTarget.value);
            }}
          >
            <option value="">{W.allQueues}</option>
            {queues.value.map(({ id, name }) => (
              <option key={id} value={id}>
                {name}
              </option>
            ))}
          </select>
        </div>
      </div>
      {slots.length === 0 ? (
        <p class="quiet">{W.noCalls}</p>
      ) : (
        <>
          <ul class="legend">
            <li class="answered">{W.answered}</li>
            <li class="abandoned">{W.abandoned}</li>
            {slots.some(({ overflowed }) => overflowed > 0) && <li class="overflowed">{W.overflowed}</li>}
            <li class="entered">{W.entered}</li>
            {queue && <li class="level">{W.legendLevel}</li>}
          </ul>
          <div class={`charts ${queue ? "" : "one"}`}>
            <Volume slots={slots} title={W.chartTitle(name)} />
            {queue && <Level slots={slots} title={W.levelTitle(name)} limit={queue.alarms.service_level ?? null} />}
          </div>
          <Table slots={slots} level={queue !== undefined} />
        </>
      )}
    </section>
  );
}

/** Place of a chart, its width, and its scale. */
function useSize(): [preact.RefObject<HTMLDivElement | null>, number, number] {
  const element = useRef<HTMLDivElement>(null);
  const [width, setWidth] = useState(0);
  const [scale, setScale] = useState(1);
  useEffect(() => {
    if (!element.current) return;
    const observer = new ResizeObserver(([entry]) => {
      if (!entry) return;
      setWidth(Math.round(entry.contentRect.width));
      setScale(entry.contentRect.height / HEIGHT);
    });
    observer.observe(element.current);
    return () => observer.disconnect();
  }, []);
  return [element, width, scale];
}

function Volume({ slots, title }: { slots: Slot[]; title: string }) {
  const [element, width, scale] = useSize();
  const box = boxOf(width, scale);
  const ticks = axis(Math.max(...slots.map((slot) => Math.max(slot.entered, slot.answered + slot.abandoned + slot.overflowed))));
  const top = Math.max(...ticks);
  return (
    <div class="chart" ref={element}>
      {width > 0 && (
        <svg width={width} height={HEIGHT * scale} role="img" aria-label={title}>
          {ticks.map((tick) => (
            <Grid key={tick} box={box} y={box.top + box.height * (1 - tick / top)} label={String(tick)} />
          ))}
          {bars(slots, box, top).map((bar) => (
            <g key={bar.slot.from}>
              <title>{spoken(bar.slot)}</title>
              {bar.parts.map((part) => (
                <rect key={part.name} class={part.name} x={bar.x} width={bar.width} y={part.y} height={part.height} />
              ))}
              {bar.slot.entered > 0 && (
                <line class="entered" x1={bar.x} x2={bar.x + bar.width} y1={bar.entered} y2={bar.entered} />
              )}
              <rect class="reach" x={bar.x} width={bar.width} y={box.top} height={box.height} />
            </g>
          ))}
          <Hours slots={slots} box={box} />
        </svg>
      )}
    </div>
  );
}

function Level({ slots, title, limit }: { slots: Slot[]; title: string; limit: number | null }) {
  const [element, width, scale] = useSize();
  const box = boxOf(width, scale);
  const y = (part: number) => box.top + box.height * (1 - part);
  return (
    <div class="chart" ref={element}>
      {width > 0 && (
        <svg width={width} height={HEIGHT * scale} role="img" aria-label={title}>
          {[0, 0.5, 1].map((part) => (
            <Grid key={part} box={box} y={y(part)} label={String(100 * part)} />
          ))}
          {limit !== null && <line class="limit" x1={box.left} x2={box.left + box.width} y1={y(limit)} y2={y(limit)} />}
          {levelLines(slots, box).map((line, n) => (
            <g key={n} class="level">
              <polyline points={line.map((point) => point.join()).join(" ")} />
              {line.map(([cx, cy]) => (
                <circle key={cx} cx={cx} cy={cy} r="2.5" />
              ))}
            </g>
          ))}
          <Hours slots={slots} box={box} />
        </svg>
      )}
    </div>
  );
}

function boxOf(width: number, scale: number) {
  return {
    scale,
    left: MARGIN.left * scale,
    top: MARGIN.top * scale,
    width: Math.max(1, width - (MARGIN.left + MARGIN.right) * scale),
    height: (HEIGHT - MARGIN.top - MARGIN.bottom) * scale,
  };
}

function Grid({ box, y, label }: { box: ReturnType<typeof boxOf>; y: number; label: string }) {
  return (
    <>
      <line class="grid" x1={box.left} x2={box.left + box.width} y1={y} y2={y} />
      <text x={box.left - 6 * box.scale} y={y + 4 * box.scale} text-anchor="end">
        {label}
      </text>
    </>
  );
}

function Hours({ slots, box }: { slots: Slot[]; box: ReturnType<typeof boxOf> }) {
  const step = box.width / slots.length;
  return (
    <>
      {hourMarks(slots, box.width, 48 * box.scale).map(({ n, at }) => (
        <text key={at} x={box.left + n * step} y={box.top + box.height + 16 * box.scale} text-anchor="middle">
          {hourOfDay(at)}
        </text>
      ))}
    </>
  );
}

function spoken(slot: Slot): string {
  const parts = [
    `${timeOfDay(new Date(slot.from).toISOString())}–${timeOfDay(new Date(slot.to).toISOString())}`,
    `${W.entered} ${slot.entered}`,
    `${W.answered} ${slot.answered}`,
    `${W.abandoned} ${slot.abandoned}`,
  ];
  if (slot.overflowed) parts.push(`${W.overflowed} ${slot.overflowed}`);
  if (slot.level !== null) parts.push(`${W.serviceLevel} ${percent(slot.level)}`);
  return parts.join("\n");
}

function Table({ slots, level }: { slots: Slot[]; level: boolean }) {
  return (
    <details class="as-table">
      <summary>{W.asTable}</summary>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must scroll by keyboard too */}
      <div class="scrolls" tabIndex={0} role="region" aria-label={W.asTable}>
        <table>
          <thead>
            <tr>
              <th scope="col">{W.time}</th>
              <th scope="col">{W.entered}</th>
              <th scope="col">{W.answered}</th>
              <th scope="col">{W.abandoned}</th>
              <th scope="col">{W.overflowed}</th>
              {level && <th scope="col">{W.serviceLevel}</th>}
            </tr>
          </thead>
          <tbody>
            {slots.filter(isBusy).map((slot) => (
              <tr key={slot.from}>
                <th scope="row">{timeOfDay(new Date(slot.from).toISOString())}</th>
                <td>{slot.entered}</td>
                <td>{slot.answered}</td>
                <td>{slot.abandoned}</td>
                <td>{slot.overflowed}</td>
                {level && <td>{percent(slot.level)}</td>}
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </details>
  );
}
