import { percent, wait } from "../../centre/format";
import type { Queue } from "../../centre/objects";
import { Since } from "../../centre/ui/ticking";
import { Icon } from "../../ui/icons";
import { useCentre } from "../../ui/shell/context";
import { alarmsOf, isGrave } from "../alarms";
import { useWallboard } from "../context";
import { W } from "../words";

export function Queues() {
  const { known, now } = useCentre();
  const all = useWallboard().queues.value;
  const alarms = all.flatMap((queue) => alarmsOf(queue, now.value).map(({ kind }) => `${queue.id} ${kind}`));
  return (
    <section aria-labelledby="queues-title">
      <h2 id="queues-title" class="unseen">
        {W.queues}
      </h2>
      {known.value && all.length === 0 && <p class="card quiet">{W.noQueues}</p>}
      <ul class="tiles" id="queues">
        {all.map((queue) => (
          <li key={queue.id}>
            <Tile queue={queue} />
          </li>
        ))}
      </ul>
      <Spoken key={alarms.join()} all={all} />
    </section>
  );
}

/** Alarms as they come, for those who do not see colours. Made anew only when an alarm comes or goes. */
function Spoken({ all }: { all: Queue[] }) {
  const { now } = useCentre();
  return (
    <p class="unseen" role="status">
      {all.flatMap((queue) => alarmsOf(queue, now.peek()).map(({ text }) => W.alarm.spoken(queue.name, text))).join(". ")}
    </p>
  );
}

function Tile({ queue }: { queue: Queue }) {
  const { now } = useCentre();
  const { live, today } = queue;
  const alarms = alarmsOf(queue, now.value);
  const has = (kind: string) => (alarms.some((alarm) => alarm.kind === kind) ? "alarming" : "");
  return (
    <article
      class={`card tile ${alarms.length === 0 ? "" : isGrave(alarms) ? "alarm" : "warn"}`}
      aria-label={queue.name}
      data-queue={queue.id}
    >
      <div class="tile-head">
        <h3>{queue.name}</h3>
        <p class="quiet">
          <Icon name="people" size={16} />
          <span>
            {live.agents_signed_in === 0 ? W.nobody : W.agentsOf(live.agents_available, live.agents_busy, live.agents_signed_in)}
          </span>
        </p>
      </div>
      <dl class="tile-now">
        <div class={has("waiting") || has("unattended")}>
          <dt>{W.waiting}</dt>
          <dd data-figure="waiting">{live.waiting}</dd>
        </div>
        <div class={has("oldest")}>
          <dt>{W.longest}</dt>
          <dd data-figure="longest">{live.oldest_since ? <Since at={live.oldest_since} /> : "\u2013"}</dd>
        </div>
        <div class={has("level")}>
          <dt>
            {W.serviceLevel} <span class="within">{W.within(queue.service_level_target_s)}</span>
          </dt>
          <dd data-figure="level">{percent(today.service_level)}</dd>
        </div>
      </dl>
      {alarms.length > 0 && (
        <ul class="alarms">
          {alarms.map(({ kind, text }) => (
            <li key={kind}>
              <Icon name="warning" size={18} /> {text}
            </li>
          ))}
        </ul>
      )}
      <dl class="tile-day">
        <Figure name={W.entered} value={today.entered} id="entered" />
        <Figure name={W.answered} value={today.answered} id="answered" />
        <Figure name={W.abandoned} value={today.abandoned} id="abandoned" />
        <Figure name={W.asa} long={W.asaLong} value={today.answered ? wait(today.asa_s) : "\u2013"} id="asa" />
        <Figure name={W.aht} long={W.ahtLong} value={today.completed ? wait(today.aht_s) : "\u2013"} id="aht" />
        <Figure name={W.longestToday} value={today.entered ? wait(today.longest_wait_s) : "\u2013"} id="longest-today" />
      </dl>
    </article>
  );
}

function Figure({ name, long, value, id }: { name: string; long?: string; value: string | number; id: string }) {
  return (
    <div>
      <dt>{long ? <abbr title={long}>{name}</abbr> : name}</dt>
      <dd data-figure={id}>{value}</dd>
    </div>
  );
}
