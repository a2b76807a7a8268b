//! Failover: attempts that are made one after the other.

use std::time::Duration;

use session_core::{Attempt, Dial, Event, Next, OnFailure, Party};
use sip_core::message::StatusCode;

use crate::world::{CALLEE, CALLER, GATEWAY, Network, World};

fn to(trunk: &str, next: Next) -> Attempt {
    Attempt {
        parties: vec![Party::Trunk {
            name: trunk.into(),
            number: "777".into(),
        }],
        ring_timeout: Duration::from_secs(20),
        within: None,
        next,
    }
}

/// A call that the gateway dials so, until it is answered or over: INVITEs that the callee got, and the code that the caller got.
fn outcome(rejects: Option<StatusCode>, attempts: Vec<Attempt>) -> (usize, usize, Option<StatusCode>) {
    let mut world = World::new(7, Network::perfect());
    world.callee_rejects = rejects;
    world.dials = Some(Dial {
        attempts,
        caller: None,
        on_failure: OnFailure::Reject,
    });
    world.call();
    world.run(Duration::from_secs(3));
    let code = world.ended(CALLER).first().map(|record| record.code);
    let failed = world.count(GATEWAY, |event| matches!(event, Event::DialFailed { .. }));
    let invited = world.incoming(CALLEE);
    world.hangup(CALLER);
    world.run(Duration::from_secs(100));
    world.assert_empty();
    (invited, failed, code)
}

#[test]
fn the_next_attempt_is_made_when_nobody_answered() {
    use Next::IfUnanswered;
    let attempts = || {
        vec![
            to("absent", IfUnanswered),
            to("right", IfUnanswered),
            to("right", IfUnanswered),
        ]
    };
    assert_eq!(outcome(None, attempts()), (1, 0, None), "the second is answered");
    assert_eq!(
        outcome(Some(StatusCode::BUSY_HERE), attempts()),
        (2, 1, Some(StatusCode::BUSY_HERE)),
        "all are busy"
    );
    assert_eq!(
        outcome(Some(StatusCode::DECLINE), attempts()),
        (1, 1, Some(StatusCode::DECLINE)),
        "a 6xx is for all"
    );
}

#[test]
fn another_way_is_tried_only_to_whoever_could_not_be_reached() {
    use Next::IfUnreachable;
    let attempts = || vec![to("right", IfUnreachable), to("right", IfUnreachable)];
    for (code, invited) in [
        (StatusCode::BUSY_HERE, 1),
        (StatusCode::NOT_FOUND, 1),
        (StatusCode::DECLINE, 1),
        (StatusCode::TEMPORARILY_UNAVAILABLE, 2),
        (StatusCode::SERVER_INTERNAL_ERROR, 2),
        (StatusCode::SERVICE_UNAVAILABLE, 2),
        (StatusCode::REQUEST_TIMEOUT, 2),
    ] {
        assert_eq!(
            outcome(Some(code), attempts()),
            (invited, 1, Some(code)),
            "{code}"
        );
    }
}
