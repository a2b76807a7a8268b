//! Events that the coordinator reports to its application.

mod incoming;
mod session;
mod states;

pub use incoming::{IncomingCall, ReferTo, Source, Way};
use media_core::control::{LegId, Report};
use sip_core::endpoint::SubscriptionId;
use sip_core::message::StatusCode;
pub use states::{BridgeEvent, RegistrationState};

use crate::guard::Ban;
use crate::record::{CallRecord, Cause};
use crate::registration::Registrant;
use crate::stir::Verdict;
use crate::trunk::TargetStatus;
use crate::{
    IncomingMessage, MailboxNotice, MessageId, NoticeId, Refusal, SavedMessage, SessionId, WatchRequest,
};

/// Coordinator to application. Events of one session come in order; [`Event::Ended`] is its last.
#[derive(Clone, Debug)]
pub enum Event {
    /// A call came in and waits for [`dial`](crate::Coordinator::dial), [`answer`](crate::Coordinator::answer),
    /// [`ring`](crate::Coordinator::ring) or [`reject`](crate::Coordinator::reject).
    Incoming {
        /// The new session.
        session: SessionId,
        /// The caller's leg.
        leg: LegId,
        /// Caller and callee.
        call: Box<IncomingCall>,
    },
    /// A dialled party rings or makes progress.
    Progress {
        /// The session.
        session: SessionId,
        /// The branch.
        leg: LegId,
        /// 180 to 199.
        code: StatusCode,
        /// True if the callee sends early media.
        early_media: bool,
    },
    /// A leg is answered: ours by [`answer`](crate::Coordinator::answer) and acknowledged, or a dialled one by its peer.
    Answered {
        /// The session.
        session: SessionId,
        /// The leg.
        leg: LegId,
    },
    /// The saved form of a leg that called us has changed: see [`save`](crate::Coordinator::save).
    Changed {
        /// The session.
        session: SessionId,
        /// The leg.
        leg: LegId,
    },
    /// The peer of a leg goes on after a restart ([`restore`](crate::Coordinator::restore)).
    Restored {
        /// The session.
        session: SessionId,
        /// The leg.
        leg: LegId,
    },
    /// A call to a trunk was refused because a cap against toll fraud is reached.
    CapReached {
        /// Name of the cap.
        cap: String,
        /// Whoever the call was on account of; `None`: the gateway itself.
        by: Option<Source>,
    },
    /// A user's phone that was dialled names another place (a 3xx: call forwarding). The caller waits for
    /// [`follow`](crate::Coordinator::follow) or [`undial`](crate::Coordinator::undial).
    Diverted {
        /// The session.
        session: SessionId,
        /// The phone's leg, which is over.
        leg: LegId,
        /// User in whose name the call goes on.
        user: String,
        /// Numbers to call instead, best first; never empty.
        numbers: Vec<String>,
    },
    /// These legs hear each other from now on, each as its role allows.
    Bridged {
        /// The session.
        session: SessionId,
        /// The legs.
        legs: Vec<LegId>,
    },
    /// The state of a trunk's target has changed.
    Target {
        /// Name of the trunk.
        trunk: String,
        /// The target, as it is now.
        target: Box<TargetStatus>,
    },
    /// An [`invite`](crate::Coordinator::invite)d party's phone rings.
    InvitationRings {
        /// The session.
        session: SessionId,
        /// The invitation.
        invitation: LegId,
        /// 180 to 199.
        code: StatusCode,
    },
    /// An invitation was answered: [`admit_leg`](crate::Coordinator::admit_leg) or [`withdraw`](crate::Coordinator::withdraw) the leg.
    InvitationAnswered {
        /// The session.
        session: SessionId,
        /// The invitation.
        invitation: LegId,
        /// The leg that answered: from now on the party's.
        leg: LegId,
    },
    /// An invitation ended without an answer.
    InvitationEnded {
        /// The session.
        session: SessionId,
        /// The invitation.
        invitation: LegId,
        /// Best of the final responses.
        code: StatusCode,
    },
    /// A bridge of calls was made, changed or ended.
    Bridge(BridgeEvent),
    /// A leg is out of a session that goes on.
    Left {
        /// The session.
        session: SessionId,
        /// The leg.
        leg: LegId,
        /// Cause of the end.
        cause: Cause,
        /// SIP code; 200 for BYE.
        code: StatusCode,
    },
    /// Everybody of a session is in another one now; nothing more is said of it, its record is in that one's.
    Joined {
        /// The session that goes on.
        session: SessionId,
        /// The one that is no more.
        guest: SessionId,
    },
    /// The peer of a leg asks for a transfer (REFER), and waits for
    /// [`transfer`](crate::Coordinator::transfer),
    /// [`transfer_attended`](crate::Coordinator::transfer_attended),
    /// [`accept_refer`](crate::Coordinator::accept_refer) or
    /// [`refuse_refer`](crate::Coordinator::refuse_refer).
    Refer {
        /// The session.
        session: SessionId,
        /// The leg: a user's.
        leg: LegId,
        /// By whom.
        to: ReferTo,
    },
    /// A call came in that asks for the place of a leg (INVITE with `Replaces`, RFC 3891), and may have it; waits for
    /// [`replace`](crate::Coordinator::replace) or [`reject`](crate::Coordinator::reject).
    Replaces {
        /// The new session.
        session: SessionId,
        /// The new leg.
        leg: LegId,
        /// Caller and number of the new call.
        call: Box<IncomingCall>,
        /// The leg that it would replace.
        replaced: LegId,
    },
    /// A call came in that asks to join the call of a leg (INVITE with `Join`, RFC 3911), and may; waits for
    /// [`join_call`](crate::Coordinator::join_call) or [`reject`](crate::Coordinator::reject).
    Joins {
        /// The new session.
        session: SessionId,
        /// The new leg.
        leg: LegId,
        /// Caller and number of the new call.
        call: Box<IncomingCall>,
        /// The leg whose call it would join.
        joined: LegId,
    },
    /// Others are in a session in place of a leg, which is hung up.
    Transferred {
        /// The session.
        session: SessionId,
        /// The leg.
        leg: LegId,
        /// Those who came.
        to: Vec<LegId>,
    },
    /// A leg was not replaced; it is in its session as before, unless its peer hung up.
    TransferFailed {
        /// The session.
        session: SessionId,
        /// The leg.
        leg: LegId,
        /// Status that its peer was sent.
        code: StatusCode,
    },
    /// Progress of the transfer that we asked for by [`refer`](crate::Coordinator::refer).
    ReferProgress {
        /// The session.
        session: SessionId,
        /// The leg.
        leg: LegId,
        /// 100 to 199 under way, 200 to 299 done, from 300 on failed.
        code: StatusCode,
    },
    /// A user whose browser is away from a kept session registered again, with another browser perhaps.
    Returned {
        /// The session.
        session: SessionId,
        /// The leg that is away.
        leg: LegId,
        /// User that it belongs to.
        user: String,
    },
    /// Answer to [`probe`](crate::Coordinator::probe): the program behind a contact of the user runs.
    Alive {
        /// The user.
        user: String,
    },
    /// No dialled party answered. The session lives on with its caller, if there is one, until the
    /// application decides; if `dial` was told to, it rejects the caller with `code`.
    DialFailed {
        /// The session.
        session: SessionId,
        /// Best of the final responses (RFC 3261 §16.7 step 6).
        code: StatusCode,
        /// True if a phone rang, of those that were called last.
        rang: bool,
    },
    /// A digit, by RFC 4733 or INFO alike. It was passed on to the bridged leg already.
    Dtmf {
        /// The session.
        session: SessionId,
        /// Leg whose user pressed the key.
        leg: LegId,
        /// `0`-`9`, `*`, `#`, `A`-`D`.
        digit: char,
        /// For how long.
        duration_ms: u16,
    },
    /// The leg's peer put us on hold, or took us back.
    Hold {
        /// The session.
        session: SessionId,
        /// The leg that holds.
        leg: LegId,
        /// Held now.
        held: bool,
    },
    /// The leg's browser left (or came back): its far side hears music meanwhile.
    Away {
        /// The session.
        session: SessionId,
        /// The leg.
        leg: LegId,
        /// True: away; false: back.
        away: bool,
    },
    /// A leg from which something should come is silent, or is heard again: phones and trunks only.
    Silent {
        /// The session.
        session: SessionId,
        /// The leg.
        leg: LegId,
        /// True: silent.
        silent: bool,
    },
    /// The peer of a silent leg is there all the same: it answered when it was asked, as by
    /// [`ask_peer`](crate::Coordinator::ask_peer). The leg of a peer that is not there ends.
    Present {
        /// The session.
        session: SessionId,
        /// The leg.
        leg: LegId,
    },
    /// An [`announce`](crate::Coordinator::announce) is over.
    Announced {
        /// The session.
        session: SessionId,
        /// Leg that heard it.
        leg: LegId,
        /// To its end.
        whole: bool,
    },
    /// The first authentic audio packet of the leg's peer.
    Talking {
        /// The session.
        session: SessionId,
        /// The leg.
        leg: LegId,
    },
    /// Answer to [`report`](crate::Coordinator::report).
    Report {
        /// The session.
        session: SessionId,
        /// The leg.
        leg: LegId,
        /// Counts of the leg.
        report: Box<Report>,
    },
    /// The session is over and everything of it is gone.
    Ended {
        /// The session.
        session: SessionId,
        /// The record.
        record: Box<CallRecord>,
    },
    /// A user registered the first contact, or lost the last one.
    Reachable {
        /// The user.
        user: String,
        /// Can be called now.
        reachable: bool,
    },
    /// The verdict on the signature of a call's caller (STIR/SHAKEN). It comes right after [`Event::Incoming`], and again if it becomes
    /// known later; in place of it where the call is refused for it.
    Verdict {
        /// The session.
        session: SessionId,
        /// Trunk that the call came from.
        trunk: String,
        /// The verdict.
        verdict: Verdict,
    },
    /// A request was refused because of its sender.
    Refused(Box<Refusal>),
    /// A source is banned from now on.
    Banned(Ban),
    /// A peer that may watch subscribes to the state of a number of ours; waits for [`admit_watch`](crate::Coordinator::admit_watch) or
    /// [`refuse_watch`](crate::Coordinator::refuse_watch).
    Watch {
        /// The subscription.
        subscription: SubscriptionId,
        /// Who wants to watch whom.
        watch: WatchRequest,
    },
    /// A trunk says what is in a mailbox; waits for [`take_notice`](crate::Coordinator::take_notice) or
    /// [`refuse_notice`](crate::Coordinator::refuse_notice).
    Mailbox {
        /// The notice.
        notice: NoticeId,
        /// Sender, and whose mailbox.
        about: MailboxNotice,
    },
    /// A user or a trunk sends an instant message; waits for [`deliver_message`](crate::Coordinator::deliver_message) or
    /// [`refuse_message`](crate::Coordinator::refuse_message).
    Message {
        /// The message.
        message: MessageId,
        /// Sender and recipient.
        about: IncomingMessage,
    },
    /// The outcome of an instant message of ours: [`send_message`](crate::Coordinator::send_message).
    MessageSent {
        /// The message.
        message: MessageId,
        /// Final status: below 300 somebody took it.
        code: StatusCode,
    },
    /// A message is kept for a user who is absent, and its sender waits for [`message_saved`](crate::Coordinator::message_saved). Only
    /// where the application saves messages ([`Config::saved_messages`](crate::Config::saved_messages)).
    MessageKept {
        /// The message: unique across restarts if [`Config::first_id`](crate::Config::first_id) is. A later one has a greater id.
        message: MessageId,
        /// Its saved form.
        saved: SavedMessage,
    },
    /// A message for which there was [`MessageKept`](Event::MessageKept), or that was saved before a restart, waits no more: it was
    /// delivered or refused, it expired, or its user was removed. Its saved form is needed no longer.
    MessageOver {
        /// The message.
        message: MessageId,
    },
    /// The state of a registration of ours has changed.
    Registration {
        /// Whose it is.
        registrant: Registrant,
        /// Its state now.
        state: RegistrationState,
    },
}
