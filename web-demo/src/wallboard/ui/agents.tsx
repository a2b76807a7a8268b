import { useMemo, useState } from "preact/hooks";
import { percent } from "../../centre/format";
import { type Agent, type CentreCall, isDirect } from "../../centre/objects";
import { Dialog } from "../../centre/ui/dialog";
import { StatusPill } from "../../centre/ui/status";
import { Since } from "../../centre/ui/ticking";
import { CALL_STATE, COMMON, callerName, STATUS } from "../../centre/words";
import { read, write } from "../../storage";
import { Icon, type IconName } from "../../ui/icons";
import { useCentre } from "../../ui/shell/context";
import { counts, FILTERS, type Filter, listed, SORTS, type Sort, type Wanted } from "../agent_list";
import { useWallboard } from "../context";
import type { Supervising } from "../supervision";
import { W } from "../words";

/** Key under which browsers have kept the choice from the first version on. */
const KEPT = "crew";

function wantedBefore(): Wanted {
  return { filter: "signed-in", queue: "", sort: "state", ...read<Partial<Wanted>>(KEPT), text: "" };
}

export function Agents() {
  const { queues } = useWallboard();
  const { agents, calls, known } = useCentre();
  const [wanted, setWanted] = useState(wantedBefore);
  const [chosen, setChosen] = useState<string | undefined>();
  const change = (part: Partial<Wanted>) => {
    const next = { ...wanted, ...part };
    setWanted(next);
    write(KEPT, { ...next, text: "" });
  };
  // A queue that was removed hides nobody.
  const queue = queues.value.some(({ id }) => id === wanted.queue) ? wanted.queue : "";
  const list = listed(agents.value.values(), { ...wanted, queue });
  const agent = chosen === undefined ? undefined : list.find(({ id }) => id === chosen);
  return (
    <section class="agent-list" id="agent-list" tabIndex={-1} aria-labelledby="agents-title">
      <ListHead wanted={{ ...wanted, queue }} change={change} />
      {known.value && list.length === 0 && <p class="card quiet">{W.noAgents}</p>}
      <ul class="members" id="agents">
        {list.map((one) => (
          <li key={one.id}>
            <Still agent={one} call={queueCall(one.call ? calls.value.get(one.call) : undefined)} choose={setChosen} />
          </li>
        ))}
      </ul>
      {agent && <StateDialog agent={agent} close={() => setChosen(undefined)} />}
    </section>
  );
}

/** Filters, search and order of the list. */
function ListHead({ wanted, change }: { wanted: Wanted; change(part: Partial<Wanted>): void }) {
  const { queues } = useWallboard();
  const many = counts(useCentre().agents.value.values());
  return (
    <div class="list-head">
      <h2 id="agents-title">{W.agents}</h2>
      <fieldset class="chips">
        <legend class="unseen">{W.show}</legend>
        {FILTERS.map((filter: Filter) => (
          <label key={filter} class="pick">
            <input
              type="radio"
              name="filter"
              value={filter}
              checked={wanted.filter === filter}
              onChange={() => change({ filter })}
            />
            <span>
              {W.filter[filter]} <b>{many[filter]}</b>
            </span>
          </label>
        ))}
      </fieldset>
      <div class="list-tools">
        <div class="find">
          <Icon name="search" size={18} />
          <input
            id="agents-find"
            type="search"
            aria-label={W.find}
            placeholder={W.find}
            autocomplete="off"
            value={wanted.text}
            onInput={(event) => change({ text: event.currentTarget.value })}
          />
        </div>
        <select aria-label={W.inQueue} value={wanted.queue} onChange={(event) => change({ queue: event.currentTarget.value })}>
          <option value="">{W.allQueues}</option>
          {queues.value.map(({ id, name }) => (
            <option key={id} value={id}>
              {name}
            </option>
          ))}
        </select>
        <select
          aria-label={W.sortBy}
          value={wanted.sort}
          onChange={(event) => change({ sort: event.currentTarget.value as Sort })}
        >
          {SORTS.map((sort) => (
            <option key={sort} value={sort}>
              {W.sortBy}: {W.sort[sort]}
            </option>
          ))}
        </select>
      </div>
    </div>
  );
}

/** The call, if it is one that a supervisor can join. */
function queueCall(call: CentreCall | undefined): CentreCall | undefined {
  return call && !isDirect(call) ? call : undefined;
}

interface MemberProps {
  agent: Agent;
  call: CentreCall | undefined;
  choose(id: string): void;
}

/** Drawn again only when the agent or the call is another: of hundreds a few change at a time. */
function Still({ agent, call, choose }: MemberProps) {
  return useMemo(() => <Member agent={agent} call={call} choose={choose} />, [agent, call, choose]);
}

function Member({ agent, call, choose }: MemberProps) {
  const { choices, supervision } = useWallboard();
  const { status, reach, today } = agent;
  const watched = call !== undefined && supervision.watching.value?.call === call.id;
  return (
    <article class={`member s-${status} ${watched ? "watched" : ""}`} aria-label={agent.display} data-agent={agent.name}>
      <div class="member-head">
        <h3>{agent.display}</h3>
        <button
          type="button"
          class="plain round"
          aria-label={W.setState(agent.display)}
          title={W.setState(agent.display)}
          onClick={() => choose(agent.id)}
        >
          <Icon name="sliders" size={18} />
        </button>
      </div>
      <p class="member-state">
        <StatusPill status={status} note={status === "paused" ? choices.reasonLabel(agent.reason) : undefined} />
        {status !== "offline" && <Since at={agent.since} />}
        {agent.next && (
          <span class="quiet">
            {W.next(
              agent.next.intent === "paused"
                ? choices.reasonLabel(agent.next.reason) || STATUS.paused
                : STATUS[agent.next.intent],
            )}
          </span>
        )}
      </p>
      {status !== "offline" && reach !== "attached" && (
        <p class="member-reach">
          <Icon name="nosignal" size={16} /> {W.reach[reach]}
        </p>
      )}
      {call ? (
        <>
          <p class="member-call">
            <b>{callerName(call.from)}</b>
            {call.queue && <span class="chip">{call.queue.name}</span>}
            <span class="quiet">
              {CALL_STATE[call.state] !== STATUS[status] && `${CALL_STATE[call.state]} `}
              <Since at={call.answered_at ?? call.since} />
            </span>
          </p>
          <Supervisors call={call} />
          <div class="member-actions">
            <Act mode="listen" icon="listen" agent={agent} call={call} />
            <Act mode="whisper" icon="whisper" agent={agent} call={call} />
            <Act mode="barge" icon="barge" agent={agent} call={call} />
          </div>
        </>
      ) : (
        <p class="member-day quiet">
          {status === "direct" ? `${W.direct} · ` : ""}
          {W.calls(today.calls)} · {W.occupancy(percent(today.occupancy))}
        </p>
      )}
    </article>
  );
}

function Supervisors({ call }: { call: CentreCall }) {
  const others = call.parties.filter(({ kind }) => kind === "supervisor");
  if (others.length === 0) return null;
  return (
    <p class="member-reach quiet">
      <Icon name="listen" size={16} /> {others.map(({ name, mode }) => `${name} ${W.modeOf[mode]}`).join(", ")}
    </p>
  );
}

const LABEL: Record<Supervising, [string, (who: string) => string]> = {
  listen: [W.listen, W.listenTo],
  whisper: [W.whisper, W.whisperTo],
  barge: [W.barge, W.bargeIn],
};

function Act({ mode, icon, agent, call }: { mode: Supervising; icon: IconName; agent: Agent; call: CentreCall }) {
  const { supervision } = useWallboard();
  const watching = supervision.watching.value;
  const on = watching?.call === call.id && watching.mode === mode;
  const possible = ["talking", "held", "consulting", "conference"].includes(call.state);
  return (
    <button
      type="button"
      class="small"
      data-mode={mode}
      aria-pressed={on}
      aria-label={LABEL[mode][1](agent.display)}
      disabled={!possible || supervision.changing.value}
      onClick={() => !on && void supervision.watch({ call: call.id, agent: agent.display, caller: callerName(call.from), mode })}
    >
      <Icon name={icon} size={16} /> {LABEL[mode][0]}
    </button>
  );
}

function StateDialog({ agent, close }: { agent: Agent; close(): void }) {
  const wallboard = useWallboard();
  const { choices, shell } = wallboard;
  const [waiting, setWaiting] = useState(false);
  const set = async (intent: "available" | "paused" | "offline", reason?: string) => {
    setWaiting(true);
    await wallboard.setIntent(agent.id, intent, reason).catch(shell.notices.fail);
    close();
  };
  return (
    <Dialog id="state-dialog" label="state-dialog-title" close={close}>
      <h2 id="state-dialog-title">{W.setStateTitle(agent.display)}</h2>
      <p>
        <StatusPill status={agent.status} note={agent.status === "paused" ? choices.reasonLabel(agent.reason) : undefined} />
      </p>
      <p class="quiet small-text">{W.setStateText}</p>
      <div class="state-choices">
        <button type="button" class="small" data-set="available" disabled={waiting} onClick={() => void set("available")}>
          <Icon name="check" size={16} /> {W.available}
        </button>
        {choices.pauseReasons.value.map(({ code, label }) => (
          <button
            key={code}
            type="button"
            class="small"
            data-set={code}
            disabled={waiting}
            onClick={() => void set("paused", code)}
          >
            <Icon name="pause" size={16} /> {W.pause(label)}
          </button>
        ))}
        <button type="button" class="small" data-set="offline" disabled={waiting} onClick={() => void set("offline")}>
          <Icon name="leave" size={16} /> {W.offline}
        </button>
      </div>
      <button type="button" class="plain" onClick={close}>
        {COMMON.cancel}
      </button>
    </Dialog>
  );
}
