import { Since } from "../../centre/ui/ticking";
import { CALL_STATE } from "../../centre/words";
import { Icon } from "../../ui/icons";
import { useWallboard } from "../context";
import type { DirectCall, End } from "../direct_calls";
import { W } from "../words";

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
      <div class="scrolls" tabIndex={0} role="region" aria-labelledby="direct-title">
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
      <td>{W.directionOf[call.direction]}</td>
      <td>{call.trunks.join(", ") || "\u2013"}</td>
      <td>
        <span class={`direct-state s-${call.state}`}>{CALL_STATE[call.state]}</span>
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
            <span class="quiet in-browser" title={W.inBrowser}>
              <Icon name="headset" size={16} />
              <span class="unseen">{W.inBrowser}</span>
            </span>
          )}
        </li>
      ))}
    </ul>
  );
}
