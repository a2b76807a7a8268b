import { Since } from "../../centre/ui/ticking";
import { CALL_STATE } from "../../centre/words";
import { Icon, type IconName } from "../../ui/icons";
import { useWallboard } from "../context";
import type { DirectCall, Direction, End } from "../direct_calls";
import { W } from "../words";

/** The same sign in the table, with the word, and in the head of the page. */
export const DIRECTION_ICON: Record<Direction, IconName> = {
  inbound: "in",
  outbound: "out",
  internal: "transfer",
  transit: "link",
};

/** Calls that are in no queue; nothing while there are none. */
export function DirectCalls() {
  const calls = useWallboard().directCalls.value;
  if (calls.length === 0) return null;
  return (
    <section class="card direct" id="direct-calls" aria-labelledby="direct-title">
      <h2 id="direct-title">
        {W.directCalls} <span class="quiet">{calls.length}</span>
      </h2>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must scroll by keyboard too */}
      <div class="scrolls" tabIndex={0} role="group" aria-labelledby="direct-title">
        <table>
          <thead>
            <tr>
              <th scope="col">{W.caller}</th>
              <th scope="col">{W.called}</th>
              <th scope="col">{W.direction}</th>
              <th scope="col">{W.trunk}</th>
              <th scope="col">{W.state}</th>
              <th scope="col">{W.time}</th>
            </tr>
          </thead>
          <tbody>
            {calls.map((call) => (
              <Row key={call.id} call={call} />
            ))}
          </tbody>
        </table>
      </div>
    </section>
  );
}

function Row({ call }: { call: DirectCall }) {
  return (
    <tr data-call={call.id} data-state={call.state}>
      <th scope="row">
        <Ends ends={[call.from]} />
      </th>
      <td>
        <Ends ends={call.to} />
      </td>
      <td>
        <span class="with-icon">
          <Icon name={DIRECTION_ICON[call.direction]} size={16} /> {W.directionOf[call.direction]}
        </span>
      </td>
      <td>{call.trunks.join(", ") || "\u2013"}</td>
      <td>
        <span class={`direct-state s-${call.state}`}>{call.parked ? W.parkedIn(call.parked) : CALL_STATE[call.state]}</span>
      </td>
      <td>
        <Since at={call.since} />
      </td>
    </tr>
  );
}

function Ends({ ends }: { ends: readonly End[] }) {
  return (
    <ul class="ends">
      {ends.map(({ name, number, browser }, n) => (
        <li key={n}>
          <b>{name}</b>
          {number && <span class="quiet">{number}</span>}
          {browser && (
            <span class="quiet with-icon" title={W.inBrowser}>
              <Icon name="headset" size={16} />
              <span class="unseen">{W.inBrowser}</span>
            </span>
          )}
        </li>
      ))}
    </ul>
  );
}
