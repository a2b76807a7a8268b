import { clock, mos, wait, when } from "../../centre/format";
import type { CallRecord } from "../../centre/objects";
import { callerName, verificationLabel } from "../../centre/words";
import { useNow } from "../../ui/hooks";
import { Icon } from "../../ui/icons";
import { useWorkspace } from "../context";
import { W } from "../words";

export function Recents() {
  const { history, shell } = useWorkspace();
  const records = history.records.value;
  const now = useNow(30_000);
  return (
    <section class="card" aria-labelledby="recents-title">
      <h2 id="recents-title">{W.recents}</h2>
      {records.length === 0 && <p class="quiet">{W.recentsEmpty}</p>}
      <ul class="records" id="recents">
        {records.map((record) => (
          <li key={record.id} data-kind={record.kind} data-outcome={record.outcome}>
            <Record record={record} now={now} />
          </li>
        ))}
      </ul>
      {history.cursor.value && (
        <button type="button" class="plain wide" disabled={shell.notices.busy.value.has("recents")} onClick={history.loadMore}>
          {W.more}
        </button>
      )}
    </section>
  );
}

/** The other party, and a number to reach it. */
function otherSide(record: CallRecord, outgoing: boolean, me: string | undefined): { name: string; number: string } {
  if (!outgoing) return { name: callerName(record.from), number: record.from.number };
  const colleague = record.agents.find(({ id }) => id !== me && record.kind === "internal");
  return { name: colleague?.name ?? record.to, number: record.to };
}

function Record({ record, now }: { record: CallRecord; now: number }) {
  const { shell, state, drafts, choices, calls } = useWorkspace();
  const me = shell.signedIn;
  const outgoing = record.kind === "outbound" || (record.kind === "internal" && record.from.number === me?.name);
  const other = otherSide(record, outgoing, me?.id);
  const talked = record.outcome === "completed";
  const at = Date.parse(record.ended_at);
  // Notes written since the record was made.
  const draft = drafts.all.value[record.call];
  const disposition = draft?.disposition ?? record.disposition;
  const noted = record.notes_by ?? [];
  const written = noted.find(({ agent }) => agent === me?.id)?.notes;
  const notes = draft?.notes || written || (noted.length === 0 ? record.notes : "");
  const others = noted.filter(({ agent }) => agent !== me?.id);
  const result = choices.dispositions.value.find(({ code }) => code === disposition)?.label ?? disposition;
  const rows: [string, string][] = [
    [W.details.queue, record.queue_name],
    [W.details.waited, wait(record.waited_s)],
    [W.details.talked, talked ? clock(record.talked_s) : ""],
    [W.details.held, record.held_s >= 1 ? clock(record.held_s) : ""],
    [W.details.agents, record.agents.length > 1 ? record.agents.map(({ name }) => name).join(", ") : ""],
    [W.details.number, record.from.verification ? verificationLabel(record.from.verification) : ""],
    [W.details.result, result ?? ""],
    [W.details.notes, notes ?? ""],
    ...others.map(({ name, notes: text }): [string, string] => [W.notesBy(name), text]),
    [
      W.details.sound,
      record.mos.caller || record.mos.agent ? W.details.soundText(mos(record.mos.caller), mos(record.mos.agent)) : "",
    ],
  ];
  return (
    <details class="record">
      <summary>
        <span class={`arrow ${talked ? "" : "missed"}`}>
          <Icon name={outgoing ? "out" : "in"} size={16} />
        </span>
        <span class="row-name">{other.name}</span>
        <span class="row-note">{talked ? clock(record.talked_s) : W.recentSpoken(record, outgoing)}</span>
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
      {other.number && !state.inCall.value && (
        <button type="button" class="small" onClick={() => void calls.dial(other.number)}>
          <Icon name="call" size={16} /> {outgoing ? W.callAgain : W.callBack} {other.number}
        </button>
      )}
    </details>
  );
}
