import type { IconName } from "../../ui/icons";
import { Icon } from "../../ui/icons";
import type { Status } from "../objects";
import { STATUS } from "../words";

/** A shape of its own for each, so that colour is never all there is. */
export const STATUS_ICON: Record<Status, IconName> = {
  offline: "close",
  available: "check",
  unreachable: "nosignal",
  paused: "pause",
  ringing: "in",
  connecting: "call",
  talking: "call",
  held: "pause",
  "wrap-up": "clock",
  direct: "phone",
};

export function StatusPill({ status, note }: { status: Status; note?: string | null }) {
  return (
    <span class={`status s-${status}`}>
      <Icon name={STATUS_ICON[status]} size={15} />
      <span>
        {STATUS[status]}
        {note ? `: ${note}` : ""}
      </span>
    </span>
  );
}

export function StatusDot({ status }: { status: Status }) {
  return <i class={`status-dot s-${status}`} aria-hidden="true" />;
}
