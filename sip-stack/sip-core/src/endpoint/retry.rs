use std::collections::VecDeque;
use std::time::Duration;

use sans_io::Time;

use crate::auth::Answerer;
use crate::flow::{Destination, Transport};
use crate::message::{HeaderName, Message, StatusCode};

use super::client::{ClientTx, Purpose};
use super::ids::UsageId;
use super::resolve::Hop;
use super::wire::Draft;
use super::{Endpoint, TimerKey};

/// Times that one request is sent anew because of credentials or intervals.
const MAX_RETRIES: u8 = 4;

impl Endpoint {
    /// RFC 3263 §4.3: tries the next target, in a new transaction. False if there is none, or nobody wants it
    /// any more.
    pub(super) fn try_next(&mut self, now: Time, id: u64, retry_after: Option<Duration>) -> bool {
        let Some(tx) = self.clients.get_mut(&id) else {
            return false;
        };
        let failed = tx.to.clone();
        let (usage, purpose) = (tx.usage, tx.purpose);
        let more = std::mem::take(&mut tx.more);
        self.avoid(now, &failed, retry_after);
        let given_up = purpose == Purpose::Invite
            && usage.is_none_or(|usage| self.usages.get(&usage).is_none_or(|state| state.is_over()));
        if more.is_empty() || given_up {
            return false;
        }
        let Some(draft) = self.retire(id) else {
            return false;
        };
        self.launch(now, draft, more, usage, purpose);
        true
    }

    /// The connection of a dialog closed: its peer, unless it lives in a browser, is looked for where its route set and
    /// `Contact` say.
    pub(super) fn try_address(&mut self, now: Time, id: u64) -> bool {
        let Some(tx) = self.clients.get(&id) else {
            return false;
        };
        let (Some(usage), Destination::Flow(flow), purpose) = (tx.usage, tx.to.clone(), tx.purpose) else {
            return false;
        };
        let Some(state) = self.usages.get_mut(&usage) else {
            return false;
        };
        let connection = matches!(flow.transport, Transport::Tcp | Transport::Tls);
        let within = purpose != Purpose::Farewell && purpose.in_dialog_method().is_some();
        if !connection || state.sticky != Some(flow) || !within {
            return false;
        }
        state.sticky = None;
        state.info.flow = None;
        let Some(next_hop) = state.dialogs.first().map(|dialog| dialog.routed().next_hop) else {
            return false;
        };
        let hop = self.hop_in_dialog(usage, &next_hop);
        if matches!(hop, Hop::Nowhere) {
            return false;
        }
        let Some(draft) = self.retire(id) else {
            return false;
        };
        self.settle(Some(usage), purpose);
        self.dispatch(now, draft, hop, Some(usage), purpose);
        true
    }

    /// The request again with what the refusal asked for: credentials (§22.2), a longer session interval (RFC 4028
    /// §7.4), a longer subscription (RFC 3261 §21.4.17). A new transaction with the next CSeq in the same place.
    pub(super) fn try_again(&mut self, now: Time, id: u64, code: StatusCode, response: &Message) -> bool {
        let Some(tx) = self.clients.get(&id) else {
            return false;
        };
        let (usage, purpose) = (tx.usage, tx.purpose);
        if tx.draft.retries >= MAX_RETRIES {
            return false;
        }
        let over = usage.is_some_and(|usage| self.usages.get(&usage).is_none_or(|state| state.is_over()));
        if over && !matches!(purpose, Purpose::Bye | Purpose::Farewell) {
            return false;
        }
        let mut lines = None;
        let session = match code {
            StatusCode::UNAUTHORIZED | StatusCode::PROXY_AUTHENTICATION_REQUIRED
                if self.challenged(id, response) =>
            {
                lines = self.verified(id, response);
                None
            }
            StatusCode::SESSION_INTERVAL_TOO_SMALL => match self.longer_session(id, response) {
                Some(session) => Some(session),
                None => return false,
            },
            StatusCode::INTERVAL_TOO_BRIEF => match self.longer_subscription(purpose, response) {
                Some(longer) => {
                    lines = Some(longer);
                    None
                }
                None => return false,
            },
            _ => return false,
        };
        let to = tx_target(&self.clients, id);
        let Some(mut draft) = self.retire(id) else {
            return false;
        };
        draft.retries += 1;
        draft.cseq = self.next_seq(usage, purpose, &draft);
        draft.session = session.or(draft.session);
        if let Some(lines) = lines {
            draft.more = lines;
        }
        self.launch(now, draft, to, usage, purpose);
        true
    }

    /// Takes the draft out of a transaction that only absorbs strays from now on.
    fn retire(&mut self, id: u64) -> Option<Draft> {
        // Forks that rang belong to the INVITE that was refused.
        if let Some(tx) = self.clients.get(&id)
            && tx.purpose == Purpose::Invite
            && let Some(state) = tx.usage.and_then(|usage| self.usages.get_mut(&usage))
        {
            state.dialogs.clear();
        }
        let tx = self.clients.get_mut(&id)?;
        tx.usage = None;
        if tx.is_abandoned() {
            tx.purpose = Purpose::Abandoned;
            let (draft, deadline) = (tx.draft.clone(), tx.deadline());
            self.arm(TimerKey::Client(id), deadline);
            return Some(draft);
        }
        let bare = Draft::bare(tx.draft.method.clone());
        let draft = std::mem::replace(&mut tx.draft, bare);
        tx.purpose = Purpose::Farewell;
        if tx.is_open() || tx.deadline().is_none() {
            self.drop_client(id);
        }
        Some(draft)
    }

    /// CSeq of a request that repeats this one: the next in its dialog.
    fn next_seq(&mut self, usage: Option<UsageId>, purpose: Purpose, draft: &Draft) -> u32 {
        if let Some(dialog) = self.subscription_dialog(purpose, &draft.to) {
            return dialog.next_seq();
        }
        let dialog = usage.and_then(|usage| {
            let dialogs = &mut self.usages.get_mut(&usage)?.dialogs;
            dialogs.iter_mut().find(|dialog| dialog.remote == draft.to)
        });
        match dialog {
            Some(dialog) => dialog.next_seq(),
            None => draft.cseq + 1,
        }
    }

    /// `Authorization` and `Proxy-Authorization` of a request, as far as anybody asked for them.
    pub(super) fn credentials_for(
        &mut self,
        usage: Option<UsageId>,
        purpose: Purpose,
        draft: &mut Draft,
    ) -> Vec<(HeaderName, String)> {
        let Some(answerer) = self.answerer(usage, purpose) else {
            return Vec::new();
        };
        let body = draft.body.as_ref().map_or(&[][..], |body| &body.data);
        answerer.headers(&mut draft.answered, draft.method.as_str(), &draft.uri, body)
    }

    /// Lines of a request that named its security mechanisms (`Security-Client`), with those that the challenge names in return as
    /// `Security-Verify` (RFC 3329 §2.3.1).
    fn verified(&mut self, client: u64, response: &Message) -> Option<String> {
        let tx = self.clients.get(&client)?;
        let (more, purpose) = (tx.draft.more.clone(), tx.purpose);
        let named: Vec<String> = response
            .headers_named("Security-Server")
            .map(str::to_owned)
            .collect();
        if named.is_empty() || !more.contains("Security-Client: ") {
            return None;
        }
        let kept = more.split_inclusive("\r\n");
        let mut lines: String = kept
            .filter(|line| !line.starts_with("Security-Verify: "))
            .collect();
        lines.extend(
            named
                .iter()
                .map(|value| super::one_line("Security-Verify", value)),
        );
        if let Purpose::Outside(request) = purpose
            && let Some(outside) = self.requests.get_mut(&request)
        {
            outside.security = named;
        }
        Some(lines)
    }

    fn challenged(&mut self, client: u64, response: &Message) -> bool {
        let mut rng = self.rng.fork();
        let Some(tx) = self.clients.get_mut(&client) else {
            return false;
        };
        let (usage, purpose) = (tx.usage, tx.purpose);
        let mut answered = std::mem::take(&mut tx.draft.answered);
        let again = self
            .answerer(usage, purpose)
            .is_some_and(|answerer| answerer.challenged(response, &mut answered, &mut rng));
        if let Some(tx) = self.clients.get_mut(&client) {
            tx.draft.answered = answered;
        }
        again
    }

    fn answerer(&mut self, usage: Option<UsageId>, purpose: Purpose) -> Option<&mut Answerer> {
        match purpose {
            Purpose::Outside(request) => self.requests.get_mut(&request)?.answerer.as_mut(),
            Purpose::Subscription(id) => self.subscriber_mut(id)?.answerer.as_mut(),
            _ => self.usages.get_mut(&usage?)?.answerer.as_mut(),
        }
    }
}

/// The target that refused, which is the one to ask again, and those behind it.
fn tx_target(clients: &std::collections::BTreeMap<u64, Box<ClientTx>>, id: u64) -> VecDeque<Destination> {
    clients.get(&id).map_or_else(VecDeque::new, |tx| {
        std::iter::once(tx.to.clone())
            .chain(tx.more.iter().cloned())
            .collect()
    })
}

/// Time for which the peer wants no further requests.
pub(super) fn retry_after(response: &Message) -> Option<Duration> {
    response
        .retry_after()
        .map(|secs| Duration::from_secs(secs.into()))
}
