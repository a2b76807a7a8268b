//! A leg: one SIP dialog of a call and its media.
//!
//! [`Purpose`] says what it is in its call, [`Dialog`] how far its signalling is, [`Negotiation`] what was agreed, [`Media`] what
//! becomes of its ports. Its own methods change it; calls ask and tell.

mod course;
mod dialog;
mod fax;
mod forks;
mod formats;
mod hold;
mod media;
mod negotiation;
mod presence;
mod purpose;
mod sound;

use media_core::control::{Command, LegId, LegKind, Report, Role};
use sans_io::Time;
use sip_core::endpoint::{Headers, OutgoingInvite, Reason};
use sip_core::flow::{Flow, FlowId};

pub(crate) use course::{Course, Sent};
pub(crate) use dialog::{Ack, Dialog};
pub(crate) use formats::offered;
use hold::Hold;
pub(crate) use media::{Media, MediaWanted, Pending};
pub(crate) use negotiation::Negotiation;
pub(crate) use presence::Attendance;
use presence::Presence;
pub(crate) use purpose::{Membership, Part, Purpose, Seat};
pub(crate) use sound::Hears;
use sound::Sound;

use crate::context::Context;
use crate::dial::{Redirect, Way};
use crate::event::Source;
use crate::record::{Fault, LegEnd, LegRecord};
use crate::stir::Grounds;
use crate::transfer::Refer;

/// A leg.
#[derive(Debug)]
pub(crate) struct Leg {
    id: LegId,
    shard: u8,
    peer: Peer,
    direction: Direction,
    purpose: Purpose,
    role: Role,
    dialog: Dialog,
    course: Course,
    /// The connection that its dialog is reached over now.
    flow: Option<Flow>,
    /// First word on its end, for its record.
    end: Option<LegEnd>,
    /// True if its peer acknowledged a response of ours: the 200, or a reliable provisional one.
    acknowledged: bool,
    negotiation: Negotiation,
    media: Media,
    hold: Hold,
    presence: Presence,
    sound: Sound,
    refer: Refer,
    /// True if nothing comes from its peer although something should.
    silent: bool,
    /// Fault that ended it, if any.
    fault: Option<Fault>,
    /// Way by trunks and targets that it was called by, while another one may take its place.
    way: Option<Box<Way>>,
    /// INVITE that waits for its turn at the trunk.
    held: Option<Box<OutgoingInvite>>,
    /// Headers of our refusal, should we refuse it.
    refusal: Headers,
    /// Facts about the call that its INVITE is for.
    grounds: Grounds,
}

/// The party at the other end of a leg.
#[derive(Debug)]
pub(crate) struct Peer {
    /// User part shown in records.
    pub(crate) party: String,
    pub(crate) account: Account,
    pub(crate) device: Device,
    /// The connection that it was called over, or called us over.
    pub(crate) registered: Option<FlowId>,
    /// True if proxies stand between it and us.
    pub(crate) proxied: bool,
}

/// Entry of the directory that a party belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Account {
    User(String),
    Trunk(String),
    /// A URI, or whoever calls a client.
    Nobody,
}

/// Kind of a peer's media.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Device {
    /// ICE and DTLS-SRTP.
    Browser,
    /// RTP.
    Phone,
}

/// A live leg as applications see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LegInfo {
    /// The leg.
    pub id: LegId,
    /// The party's user part.
    pub party: String,
    /// User of the directory that it belongs to.
    pub user: Option<String>,
    /// Trunk that it came from, or is called through.
    pub trunk: Option<String>,
    /// True if its peer called us.
    pub incoming: bool,
    /// True if its peer is a browser.
    pub browser: bool,
    /// Its role among those who hear each other.
    pub role: Role,
    /// State now.
    pub state: LegState,
    /// Time at which its INVITE came, or was sent.
    pub began: Option<Time>,
    /// Time at which it was answered.
    pub answered: Option<Time>,
}

/// State of a live leg.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LegState {
    /// No response went over it yet.
    Calling,
    /// A provisional response went over it.
    Ringing,
    /// Answered.
    Up,
    /// Answered, and on hold by either side.
    Held,
    /// Answered, and its browser is away.
    Away,
}

/// Direction of a leg's INVITE.
#[derive(Debug)]
pub(crate) enum Direction {
    Incoming,
    /// Called by us.
    Outgoing {
        /// Following of a redirection by its peer.
        redirect: Redirect,
        /// Whoever had it called.
        asker: Asker,
    },
}

/// Whoever had a leg called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Asker {
    /// Its call, which is dialled.
    Call,
    /// An invitation; its first branch names it.
    Invitation(LegId),
}

impl Account {
    pub(crate) fn of(source: &Source) -> Account {
        match source {
            Source::User(name) => Account::User(name.clone()),
            Source::Trunk(name) => Account::Trunk(name.clone()),
            Source::Anyone => Account::Nobody,
        }
    }

    pub(crate) fn user(&self) -> Option<&str> {
        match self {
            Account::User(name) => Some(name),
            Account::Trunk(_) | Account::Nobody => None,
        }
    }

    pub(crate) fn trunk(&self) -> Option<&str> {
        match self {
            Account::Trunk(name) => Some(name),
            Account::User(_) | Account::Nobody => None,
        }
    }
}

impl Device {
    pub(crate) fn of(browser: bool) -> Device {
        if browser { Device::Browser } else { Device::Phone }
    }

    pub(crate) fn is_browser(self) -> bool {
        self == Device::Browser
    }
}

impl Leg {
    /// A leg that called us.
    pub(crate) fn incoming(
        id: LegId,
        shard: u8,
        peer: Peer,
        (dialog, course): (Dialog, Course),
        flow: Option<Flow>,
        negotiation: Negotiation,
        purpose: Purpose,
    ) -> Leg {
        Leg {
            id,
            shard,
            peer,
            direction: Direction::Incoming,
            purpose,
            role: Role::Party,
            dialog,
            course,
            flow,
            end: None,
            acknowledged: false,
            negotiation,
            media: Media::opening(),
            hold: Hold::default(),
            presence: Presence::default(),
            sound: Sound::default(),
            refer: Refer::None,
            silent: false,
            fault: None,
            way: None,
            held: None,
            refusal: Headers::new(),
            grounds: Grounds::default(),
        }
    }

    /// A leg that we call: its INVITE leaves as soon as its media has an address.
    pub(crate) fn outgoing(
        id: LegId,
        shard: u8,
        peer: Peer,
        flow: Option<Flow>,
        negotiation: Negotiation,
        (invite, redirect, way): (Box<OutgoingInvite>, Redirect, Option<Box<Way>>),
    ) -> Leg {
        let mut leg = Leg::incoming(
            id,
            shard,
            peer,
            (Dialog::Unsent, Course::Unsent),
            flow,
            negotiation,
            Purpose::Branch,
        );
        leg.direction = Direction::Outgoing {
            redirect,
            asker: Asker::Call,
        };
        leg.way = way;
        leg.when_open(Pending::Invite(invite));
        leg
    }

    /// Notes what is known of the call that its INVITE is for, where that is signed.
    pub(crate) fn set_grounds(&mut self, grounds: Grounds) {
        self.grounds = grounds;
    }

    /// Has its media opened.
    pub(crate) fn open(&self, cx: &mut Context, kind: LegKind) {
        let leg = self.id;
        self.command(cx, Command::Open { leg, kind });
    }

    pub(crate) fn command(&self, cx: &mut Context, command: Command) {
        cx.command(self.shard, command);
    }

    pub(crate) fn id(&self) -> LegId {
        self.id
    }

    pub(crate) fn shard(&self) -> u8 {
        self.shard
    }

    pub(crate) fn party(&self) -> &str {
        &self.peer.party
    }

    pub(crate) fn user(&self) -> Option<&str> {
        self.peer.account.user()
    }

    pub(crate) fn trunk(&self) -> Option<&str> {
        self.peer.account.trunk()
    }

    pub(crate) fn account(&self) -> &Account {
        &self.peer.account
    }

    pub(crate) fn is_browser(&self) -> bool {
        self.peer.device.is_browser()
    }

    pub(crate) fn is_incoming(&self) -> bool {
        matches!(self.direction, Direction::Incoming)
    }

    /// Following of a redirection by its peer; `None` for a leg that called us.
    pub(crate) fn redirect(&self) -> Option<&Redirect> {
        match &self.direction {
            Direction::Outgoing { redirect, .. } => Some(redirect),
            Direction::Incoming => None,
        }
    }

    pub(crate) fn call_id(&self) -> &str {
        self.course.call_id()
    }

    pub(crate) fn flow(&self) -> Option<Flow> {
        self.flow
    }

    /// The connection that it was called over, or called us over.
    pub(crate) fn registered(&self) -> Option<FlowId> {
        self.peer.registered
    }

    /// Time at which it was answered.
    pub(crate) fn answered(&self) -> Option<Time> {
        self.course.answered()
    }

    /// Notes the end of its dialog; the first word counts.
    pub(crate) fn note_end(&mut self, end: LegEnd) {
        self.end.get_or_insert(end);
    }

    /// Reason that was given for its end.
    pub(crate) fn end_reason(&self) -> Option<&Reason> {
        self.end.as_ref()?.reason.as_ref()
    }

    pub(crate) fn fault(&self) -> Option<Fault> {
        self.fault
    }

    pub(crate) fn set_fault(&mut self, fault: Option<Fault>) {
        self.fault = fault;
    }

    /// Way by trunks and targets that it was called by.
    pub(crate) fn way(&self) -> Option<&Way> {
        self.way.as_deref()
    }

    pub(crate) fn take_way(&mut self) -> Option<Box<Way>> {
        self.way.take()
    }

    /// Its INVITE waits for its turn.
    pub(crate) fn hold_invite(&mut self, invite: Box<OutgoingInvite>) {
        self.held = Some(invite);
    }

    /// Its INVITE, if it waits for its turn and is wanted still.
    pub(crate) fn take_held(&mut self) -> Option<Box<OutgoingInvite>> {
        self.held.take().filter(|_| self.is_live())
    }

    /// Notes what our refusal says, should we refuse it.
    pub(crate) fn set_refusal(&mut self, headers: Headers) {
        self.refusal = headers;
    }

    pub(crate) fn is_silent(&self) -> bool {
        self.silent
    }

    pub(crate) fn set_silent(&mut self, silent: bool) {
        self.silent = silent;
    }

    pub(crate) fn refer(&self) -> Refer {
        self.refer
    }

    pub(crate) fn refer_mut(&mut self) -> &mut Refer {
        &mut self.refer
    }

    /// Its role among those who hear each other.
    pub(crate) fn role(&self) -> Role {
        self.role
    }

    pub(crate) fn set_role(&mut self, role: Role) {
        self.role = role;
    }

    /// The leg as applications see it; `None` once it is ending.
    pub(crate) fn info(&self) -> Option<LegInfo> {
        let state = match self.dialog {
            Dialog::Unsent | Dialog::Trying(_) => LegState::Calling,
            Dialog::Early(_) => LegState::Ringing,
            Dialog::Up(..) if self.is_away() => LegState::Away,
            Dialog::Up(..) if self.is_held() || self.is_holding() => LegState::Held,
            Dialog::Up(..) => LegState::Up,
            Dialog::Ending(_) | Dialog::Ended => return None,
        };
        Some(LegInfo {
            id: self.id,
            party: self.peer.party.clone(),
            user: self.user().map(str::to_owned),
            trunk: self.trunk().map(str::to_owned),
            incoming: self.is_incoming(),
            browser: self.is_browser(),
            role: self.role,
            state,
            began: self.course.began(),
            answered: self.course.answered(),
        })
    }

    /// Its part of the record, once nothing of it is left.
    pub(crate) fn into_record(self) -> LegRecord {
        LegRecord {
            leg: self.id,
            user: self.user().map(str::to_owned),
            trunk: self.trunk().map(str::to_owned),
            incoming: self.is_incoming(),
            browser: self.is_browser(),
            role: self.role,
            call_id: self.course.call_id().to_owned(),
            began: self.course.began(),
            answered: self.course.answered(),
            party: self.peer.party,
            end: self.end,
            report: match self.media {
                Media::Closed(report) => *report,
                Media::Opening { .. } | Media::Open | Media::Closing => Report::default(),
            },
        }
    }
}
