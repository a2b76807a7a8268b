import { clock, mos, wait, when } from "../../centre/format";
import type { CallRecord } from "../../centre/objects";
import { callerName } from "../../centre/words";
import { useNow } from "../../ui/hooks";
import { Icon } from "../../ui/icons";
import { call, dispositions, drafts, moreRecents, recents, recentsCursor } from "../desk";
import { busy } from "../notices";
import { dial, voice } from "../voice";
import { W } from "../words";

export function Recents() {
  const now = useNow(30_000);
  return (
    <section class="card" aria-labelledby="recents-title">
      <h2 id="recents-title">{W.recents}</h2>
      {recents.value.length === 0 && <p class="quiet">{W.recentsEmpty}</p>}
      <ul class="records" id="recents">
        {recents.value.map((record) => (
          <li key={record.id}>
            <Record record={record} now={now} />
          </li>
        ))}
      </ul>
      {recentsCursor.value && (
        <button type="button" class="plain wide" disabled={busy.value.has("recents")} onClick={moreRecents}>
          {W.more}
        </button>
      )}
    </section>
  );
}

function Record({ record, now }: { record: CallRecord; now: number }) {
  const at = Date.parse(record.ended_at);
  // What was written since the record was made.
  const draft = drafts.all.value[record.call];
  const disposition = draft?.disposition ?? record.disposition;
  const notes = draft?.notes || record.notes;
  const result = dispositions.value.find(({ code }) => code === disposition)?.label ?? disposition;
  const rows: [string, string][] = [
    [W.details.queue, record.queue_name],
    [W.details.waited, wait(record.waited_s)],
    [W.details.talked, clock(record.talked_s)],
    [W.details.held, record.held_s >= 1 ? clock(record.held_s) : ""],
    [W.details.agents, record.agents.length > 1 ? record.agents.map(({ name }) => name).join(", ") : ""],
    [W.details.result, result ?? ""],
    [W.details.notes, notes ?? ""],
    [
      W.details.sound,
      record.mos.caller || record.mos.agent ? W.details.soundText(mos(record.mos.caller), mos(record.mos.agent)) : "",
    ],
  ];
  return (
    <details class="record">
      <summary>
        <span class={`arrow ${record.outcome === "completed" ? "" : "missed"}`}>
          <Icon name="in" size={16} />
        </span>
        <span class="row-name">{callerName(record.from)}</span>
        <span class="row-note">{record.outcome === "completed" ? clock(record.talked_s) : W.recentSpoken(record)}</span>
        <span class="row-when">{when(at, Math.max(now, at))}</span>
      </summary>
      <dl class="record-facts">
        {rows
          .filter(([, value]) => value)
          .map(([name, value]) => (
            <div key={name}>
              <dt>{name}</dt>
              <dd>{value}</dd>
            </div>
          ))}
      </dl>
      {record.from.number && !call.value && !voice.value && (
        <button type="button" class="small" onClick={() => void dial(record.from.number)}>
          <Icon name="call" size={16} /> {W.callBack} {record.from.number}
        </button>
      )}
    </details>
  );
}
