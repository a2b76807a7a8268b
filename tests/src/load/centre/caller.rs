//! Callers behind the trunk: some have no patience, half of the others hang up first.

use std::time::Instant;

use super::super::sip::Message;
use super::agent::Agent;
use super::floor::{Due, Floor, Side};

/// The first caller's number.
const FIRST: u64 = 4_930_000_000;
/// Percentage of callers who give up early.
const IMPATIENT: u64 = 5;

impl Floor {
    pub(super) fn call(&mut self, now: Instant) {
        let number = FIRST + self.book.calls.len() as u64;
        let is_free = |agent: &Agent| agent.free && agent.rests.is_none_or(|until| until < now);
        let free = self.agents.iter().any(is_free);
        self.book.begin(number, now, free);
        let body = match self.sdp(Side::Trunk) {
            Ok(body) => body,
            Err(error) => return self.book.faults.push(error.to_string()),
        };
        let headers = format!(
            "Allow: INVITE,ACK,CANCEL,BYE,OPTIONS\r\nContent-Type: application/sdp\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        let to = format!("<sip:{}@{}>", self.number, self.gateway);
        let target = format!("sip:{}@{}", self.number, self.gateway);
        let branch = self.branch();
        let text = self.caller_request("INVITE", &target, number, &to, 1, &branch, &headers);
        self.request(now, Side::Trunk, branch, text);
        if self.rng.percent(IMPATIENT) {
            let patience = self.between(200, 6_000);
            self.at(now + patience, Due::GiveUp(number));
        }
    }

    #[expect(clippy::too_many_arguments, reason = "the parts of one message")]
    fn caller_request(
        &self,
        method: &str,
        target: &str,
        number: u64,
        to: &str,
        sequence: u32,
        branch: &str,
        rest: &str,
    ) -> String {
        let here = self
            .trunk
            .local_addr()
            .map(|address| address.to_string())
            .unwrap_or_default();
        format!(
            "{method} {target} SIP/2.0\r\nVia: SIP/2.0/UDP {here};branch={branch};rport\r\nMax-Forwards: 70\r\n\
             From: <sip:{number}@{here}>;tag=c{number}\r\nTo: {to}\r\nCall-ID: {number}@trunk\r\n\
             CSeq: {sequence} {method}\r\nContact: <sip:{number}@{here}>\r\n{rest}"
        )
    }

    pub(super) fn caller_hears(&mut self, now: Instant, status: u16, message: &Message) {
        let Some(number) = number_of(message) else {
            return;
        };
        if !message.header("CSeq").ends_with("INVITE") || status < 200 {
            return;
        }
        let (to, target) = (message.header("To").to_string(), message.contact().to_string());
        let branch = self.branch();
        if status >= 300 {
            if let Some(call) = self.book.calls.get_mut(&number) {
                call.over = true;
            }
            self.book
                .faults
                .push(format!("caller {number} was answered {}", message.start));
            return;
        }
        let ack = self.caller_request(
            "ACK",
            &target,
            number,
            &to,
            1,
            &branch,
            "Content-Length: 0\r\n\r\n",
        );
        self.send(Side::Trunk, ack);
        self.dialogs.entry(number).or_insert((to, target));
        if let Some(call) = self.book.calls.get_mut(&number) {
            call.taken.get_or_insert(now);
        }
    }

    /// BYE, and whatever else may be asked in a call.
    pub(super) fn caller_asked(&mut self, _now: Instant, message: &Message) {
        if message.start.starts_with("ACK ") {
            return;
        }
        self.send(Side::Trunk, message.respond("200 OK", "caller", "", ""));
        let Some(number) = number_of(message).filter(|_| message.start.starts_with("BYE ")) else {
            return;
        };
        if let Some(call) = self.book.calls.get_mut(&number) {
            if call.answered.is_none() && call.left.is_none() && !call.over {
                self.book
                    .faults
                    .push(format!("the gateway ended call {number}, which waited"));
            }
            call.over = true;
        }
    }

    pub(super) fn give_up(&mut self, now: Instant, number: u64) {
        let waits = |call: &super::book::Call| call.answered.is_none() && !call.over;
        if self.book.calls.get(&number).is_some_and(waits) {
            self.hang_up(now, number);
        }
    }

    pub(super) fn hang_up(&mut self, now: Instant, number: u64) {
        let Some(call) = self.book.calls.get_mut(&number).filter(|call| !call.over) else {
            return;
        };
        let Some((to, target)) = self.dialogs.get(&number).cloned() else {
            // Not taken yet: a caller with that little patience is no caller of this run.
            let patience = self.between(200, 400);
            return self.at(now + patience, Due::GiveUp(number));
        };
        call.left = Some(now);
        call.over = true;
        let branch = self.branch();
        let bye = self.caller_request(
            "BYE",
            &target,
            number,
            &to,
            2,
            &branch,
            "Content-Length: 0\r\n\r\n",
        );
        self.request(now, Side::Trunk, branch, bye);
    }
}

/// The caller's number, from our own Call-ID.
fn number_of(message: &Message) -> Option<u64> {
    message.header("Call-ID").strip_suffix("@trunk")?.parse().ok()
}
