import { hours, percent } from "../../centre/format";
import { type Agent, isWholeQueue } from "../../centre/objects";
import { StatusPill } from "../../centre/ui/status";
import { Since } from "../../centre/ui/ticking";
import { Icon, type IconName } from "../../ui/icons";
import { useCentre } from "../../ui/shell/context";
import { useWorkspace } from "../context";
import { W } from "../words";

/** The agent as the queues see it: present and next state, the day so far, the queues. */
export function StatePanel() {
  const { state, choices } = useWorkspace();
  const agent = state.me.value;
  if (!agent) return <section class="card placeholder" aria-busy="true" />;
  return (
    <>
      <section class="card state" aria-labelledby="state-title">
        <h2 id="state-title">{W.stateTitle}</h2>
        <p class={`state-now s-${agent.status}`} id="state-now">
          <StatusPill status={agent.status} note={agent.status === "paused" ? choices.reasonLabel(agent.reason) : undefined} />
          {agent.status !== "offline" && <Since at={agent.since} />}
        </p>
        {agent.status === "offline" ? <GoOnline /> : <Choices agent={agent} />}
      </section>
      <Today agent={agent} />
      <Queues agent={agent} />
    </>
  );
}

function GoOnline() {
  const { availability, shell } = useWorkspace();
  return (
    <>
      <button
        type="button"
        class="go"
        id="go-online"
        disabled={shell.notices.busy.value.has("intent")}
        onClick={() => void availability.setIntent("available")}
      >
        {W.goOnline}
      </button>
      <p class="quiet small-text">{W.goOnlineText}</p>
    </>
  );
}

/** Intent of the agent, for now or after the present call. */
function Choices({ agent }: { agent: Agent }) {
  const { availability, choices, shell } = useWorkspace();
  const working = isWorking(agent);
  const wanted = agent.next ?? intentOf(agent);
  const choice = (key: string, label: string, icon: IconName, on: boolean, act: () => void) => (
    <li key={key}>
      <button
        type="button"
        class="choice"
        data-intent={key}
        aria-pressed={on}
        disabled={shell.notices.busy.value.has("intent")}
        onClick={act}
      >
        <Icon name={icon} size={16} />
        <span>{label}</span>
      </button>
    </li>
  );
  return (
    <>
      {working && <h3 id="next-title">{W.nextTitle}</h3>}
      <ul class="choices" aria-label={working ? W.nextTitle : W.stateTitle}>
        {choice("available", W.available, "check", wanted.intent === "available", () => void availability.setIntent("available"))}
        {choices.pauseReasons.value.map(({ code, label }) =>
          choice(
            code,
            label,
            "pause",
            wanted.intent === "paused" && wanted.reason === code,
            () => void availability.setIntent("paused", code),
          ),
        )}
        {choice("offline", W.offline, "leave", wanted.intent === "offline", () => void availability.setIntent("offline"))}
      </ul>
    </>
  );
}

export function isWorking(agent: Agent): boolean {
  return ["connecting", "talking", "held", "wrap-up", "ringing", "direct"].includes(agent.status);
}

function intentOf(agent: Agent): { intent: string; reason?: string | null } {
  // Also while a direct call lasts.
  if (agent.reason !== null) return { intent: "paused", reason: agent.reason };
  return { intent: agent.status === "offline" ? "offline" : "available" };
}

function Today({ agent }: { agent: Agent }) {
  const { today } = agent;
  const figures: [string, string][] = [
    [W.calls, String(today.calls)],
    [W.talk, hours(today.talk_s)],
    [W.wrap, hours(today.wrap_up_s)],
    [W.paused, hours(today.paused_s)],
    [W.signedIn, hours(today.signed_in_s)],
    [W.occupancy, percent(today.occupancy)],
  ];
  return (
    <section class="card today" aria-labelledby="today-title">
      <h2 id="today-title">{W.today}</h2>
      <dl class="figures">
        {figures.map(([name, value]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>{value}</dd>
          </div>
        ))}
      </dl>
    </section>
  );
}

function Queues({ agent }: { agent: Agent }) {
  const { agents, queues } = useCentre();
  const own = agent.queues.map((id) => queues.value.get(id)).filter(isWholeQueue);
  own.sort((a, b) => a.name.localeCompare(b.name));
  // Read so that the list follows when agents change their queues.
  void agents.value;
  return (
    <section class="card queues" aria-labelledby="queues-title">
      <h2 id="queues-title">{W.queues}</h2>
      {own.length === 0 && <p class="quiet">{W.noQueues}</p>}
      <ul class="rows">
        {own.map(({ id, name, live }) => (
          <li key={id} class={live.waiting > 0 ? "waits" : ""}>
            <span class="row-name">{name}</span>
            <span class="row-note">
              {W.queueWaiting(live.waiting)}
              {live.oldest_since && (
                <>
                  {" · "}
                  <Since at={live.oldest_since} />
                </>
              )}
            </span>
          </li>
        ))}
      </ul>
    </section>
  );
}
