//! Cost of reading and writing a browser's INVITE, beside `rsip`: time, and number of allocations.

use std::alloc::{GlobalAlloc, Layout, System};
use std::hint::black_box;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use cordboard_tests::messages;
use rsip::headers::ToTypedHeader;
use rsip::message::HeadersExt;
use sip_core::message::{Builder, HeaderName, Message, Method};

/// The system's allocator, counted.
struct Counting;

static ALLOCATIONS: AtomicU64 = AtomicU64::new(0);

#[allow(unsafe_code, reason = "an allocator cannot be written without")]
// SAFETY: every call goes to the system's allocator as it came
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: the caller's promise is passed on
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise is passed on
        unsafe { System.dealloc(place, layout) }
    }

    unsafe fn realloc(&self, place: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: the caller's promise is passed on
        unsafe { System.realloc(place, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Rounds are shorter than a time slice of the scheduler, so that most of them run undisturbed.
const ROUNDS: usize = 401;
const CALLS: u32 = 300;

fn main() {
    let invite = Bytes::from(messages::jssip_invite());
    println!(
        "INVITE of JsSIP in Chromium, {} octets; median of {ROUNDS} rounds of {CALLS}",
        invite.len()
    );
    measure("parse + Via From To CSeq Call-ID", || read(&invite));
    let message = Message::parse(invite.clone()).expect("the INVITE is read");
    let mut edited = message.clone();
    edited
        .append_named("Via", "SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1")
        .expect("a Via");
    edited.set(HeaderName::MaxForwards, 68).expect("Max-Forwards");
    let mut out = Vec::with_capacity(8192);
    measure("write into a buffer, untouched", || write(&message, &mut out));
    measure("write into a buffer, two lines edited", || {
        write(&edited, &mut out)
    });
    measure("build a 180 with a tag", || {
        let response = Builder::response(&message, sip_core::message::StatusCode::RINGING, "Ringing")
            .with_to_tag("8f2a6c")
            .build();
        response.map_or(0, |response| response.to_bytes().len())
    });
    measure("build an INVITE with this body", || build(&message));

    let theirs = rsip::SipMessage::try_from(invite.clone()).expect("rsip reads the INVITE");
    measure("rsip: parse + Via From To CSeq Call-ID", || read_rsip(&invite));
    measure("rsip: write", || black_box(&theirs).to_string().len());
}

fn read(invite: &Bytes) -> usize {
    let message = Message::parse(black_box(invite.clone())).expect("the INVITE is read");
    let branch = message.top_via().and_then(|via| via.branch()).map_or(0, str::len);
    let tags = message.from().tag().map_or(0, str::len) + message.to().tag().map_or(0, str::len);
    branch + tags + message.cseq().number as usize + message.call_id().len()
}

fn read_rsip(invite: &Bytes) -> usize {
    let message = rsip::SipMessage::try_from(black_box(invite.clone())).expect("rsip reads the INVITE");
    let via = message.via_header().and_then(|via| via.typed()).expect("a Via");
    let from = message.from_header().and_then(|from| from.typed()).expect("From");
    let to = message.to_header().and_then(|to| to.typed()).expect("To");
    let cseq = message.cseq_header().and_then(|cseq| cseq.typed()).expect("CSeq");
    let call_id = message.call_id_header().expect("Call-ID");
    via.branch().map_or(0, |branch| branch.value().len())
        + from.tag().map_or(0, |tag| tag.value().len())
        + to.tag().map_or(0, |tag| tag.value().len())
        + cseq.seq as usize
        + rsip::headers::UntypedHeader::value(call_id).len()
}

fn write(message: &Message, out: &mut Vec<u8>) -> usize {
    out.clear();
    black_box(message).write(out);
    out.len()
}

fn build(like: &Message) -> usize {
    let built = Builder::request(Method::Invite, "sip:100@192.0.2.7:5060;transport=udp")
        .header(
            HeaderName::Via,
            "SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK7Qx2fE9;rport",
        )
        .header(HeaderName::From, "<sip:1001@example.com>;tag=a7Fq2")
        .header(HeaderName::To, "<sip:100@example.com>")
        .header(HeaderName::CallId, "Jw8mQ3n7Zr")
        .header(HeaderName::CSeq, "1 INVITE")
        .header(HeaderName::Contact, "<sip:cordboard@192.0.2.1:5060>")
        .header(
            HeaderName::Allow,
            "INVITE, ACK, CANCEL, BYE, OPTIONS, INFO, UPDATE, REFER, NOTIFY",
        )
        .header(HeaderName::Supported, "timer, replaces")
        .header(HeaderName::UserAgent, "Cordboard")
        .body("application/sdp", like.body_bytes())
        .build();
    built.map_or(0, |message| message.to_bytes().len())
}

/// Prints the median time and the allocations of one call.
fn measure(what: &str, mut call: impl FnMut() -> usize) {
    for _ in 0..CALLS {
        black_box(call());
    }
    let mut times = [Duration::ZERO; ROUNDS];
    let before = ALLOCATIONS.load(Ordering::Relaxed);
    for time in &mut times {
        let begin = Instant::now();
        for _ in 0..CALLS {
            black_box(call());
        }
        *time = begin.elapsed() / CALLS;
    }
    let allocations = ALLOCATIONS.load(Ordering::Relaxed) - before;
    times.sort();
    let each = allocations as f64 / f64::from(CALLS) / ROUNDS as f64;
    let micros = times[ROUNDS / 2].as_secs_f64() * 1e6;
    println!("{what:<44} {micros:8.2} us {each:7.1} allocations");
}
