use media_core::control::Role;
use session_core::LegState;

use super::*;
use crate::recording::{Rule, Shelf};

const NOW: Time = Time::from_secs(1_000);
const SESSION: SessionId = SessionId(7);

fn control(record: Share) -> (Control, mpsc::Receiver<Ask>) {
    let settings = RecordingSettings {
        shelf: Shelf::default(),
        rate: 8_000,
        silences_digits: true,
        rules: vec![Rule {
            record,
            ..Rule::default()
        }],
    };
    Control::new(settings, Rng::seeded(1))
}

fn call(queue: Option<&str>) -> KnownCall {
    KnownCall {
        id: "call_1".into(),
        queue: queue.map(|name| (format!("que_{name}"), name.to_owned())),
    }
}

fn leg(id: u64, user: Option<&str>, trunk: Option<&str>, incoming: bool) -> LegInfo {
    LegInfo {
        id: LegId(id),
        party: "somebody".into(),
        user: user.map(str::to_owned),
        trunk: trunk.map(str::to_owned),
        incoming,
        browser: false,
        role: Role::Party,
        state: LegState::Up,
        began: Some(NOW),
        answered: Some(NOW),
    }
}

/// The legs that are recorded from now on, each with its recording's id.
fn begun(asked: &mut mpsc::Receiver<Ask>) -> Vec<(LegId, String)> {
    std::iter::from_fn(|| asked.try_recv().ok())
        .filter_map(|ask| match ask {
            Ask::Begin { recording, leg } => Some((leg, recording.id)),
            _ => None,
        })
        .collect()
}

#[test]
fn the_far_side_is_the_queues_caller_or_whoever_is_at_a_trunk_or_the_caller() {
    let (ann, ben) = (
        || leg(1, Some("ann"), None, true),
        || leg(2, Some("ben"), None, false),
    );
    let trunk = || leg(3, None, Some("carrier"), false);
    for (legs, queue, far) in [
        (vec![ann(), trunk()], None, 3),
        (vec![ann(), ben()], None, 1),
        (vec![ann(), trunk()], Some("support"), 1),
        (vec![trunk()], Some("support"), 3),
        (vec![ben()], None, 2),
    ] {
        let (mut control, mut asked) = control(Share::All);
        control.bridged(NOW, SESSION, call(queue), &legs, "1");
        let legs: Vec<u64> = begun(&mut asked).iter().map(|(leg, _)| leg.0).collect();
        assert_eq!(legs, [far]);
    }
}

#[test]
fn a_recording_goes_on_while_its_leg_is_there_and_another_begins_when_it_is_not() {
    let (mut control, mut asked) = control(Share::All);
    let (ann, ben) = (leg(1, Some("ann"), None, true), leg(2, Some("ben"), None, false));
    let clara = leg(3, Some("clara"), None, false);
    control.bridged(NOW, SESSION, call(None), &[ann.clone(), ben.clone()], "ben");
    let first = begun(&mut asked);
    // A transfer to clara, then a conference of all three.
    control.bridged(NOW, SESSION, call(None), &[ann.clone(), clara.clone()], "ben");
    control.bridged(
        NOW,
        SESSION,
        call(None),
        &[ann, clara.clone(), ben.clone()],
        "ben",
    );
    assert_eq!(begun(&mut asked), []);
    // The caller leaves the two others alone.
    control.bridged(NOW, SESSION, call(None), &[clara, ben], "ben");
    let second = begun(&mut asked);
    assert_eq!((first[0].0, second[0].0), (LegId(1), LegId(3)));
    assert!(second[0].1 > first[0].1);
}

#[test]
fn wishes_are_granted_in_their_order_and_as_the_rules_allow() {
    let (mut control, mut asked) = control(Share::OnDemand);
    let legs = [leg(1, Some("ann"), None, true), leg(2, Some("ben"), None, false)];
    assert_eq!(
        control.wish(NOW, "call_1", Wish::Start),
        Err(Refused::UnknownCall)
    );
    control.bridged(NOW, SESSION, call(None), &legs, "ben");
    assert_eq!(begun(&mut asked), []);
    for wish in [Wish::Pause, Wish::Resume, Wish::Stop] {
        assert_eq!(control.wish(NOW, "call_1", wish), Err(Refused::WrongState));
    }
    let id = control.wish(NOW, "call_1", Wish::Start).expect("allowed");
    assert_eq!(begun(&mut asked), [(LegId(1), id.clone())]);
    for (wish, result) in [
        (Wish::Start, Err(Refused::WrongState)),
        (Wish::Resume, Err(Refused::WrongState)),
        (Wish::Pause, Ok(id.clone())),
        (Wish::Pause, Err(Refused::WrongState)),
        (Wish::Resume, Ok(id.clone())),
        (Wish::Stop, Ok(id)),
        (Wish::Stop, Err(Refused::WrongState)),
    ] {
        assert_eq!(control.wish(NOW, "call_1", wish), result, "{wish:?}");
    }
    // What was stopped does not begin again by itself.
    control.bridged(NOW, SESSION, call(None), &legs, "ben");
    assert_eq!(begun(&mut asked), []);
    let (mut control, _asked) = self::control(Share::Never);
    control.bridged(NOW, SESSION, call(None), &legs, "ben");
    assert_eq!(control.wish(NOW, "call_1", Wish::Start), Err(Refused::NotAllowed));
}

#[test]
fn a_call_that_goes_on_in_another_takes_its_recording_with_it() {
    let (mut control, mut asked) = control(Share::All);
    let caller = leg(1, None, Some("carrier"), true);
    let (ann, ben) = (leg(2, Some("ann"), None, false), leg(3, Some("ben"), None, false));
    control.bridged(NOW, SESSION, call(None), &[caller.clone(), ann], "ann");
    assert_eq!(begun(&mut asked).len(), 1);
    let other = KnownCall {
        id: "call_2".into(),
        queue: None,
    };
    control.joined(SessionId(8), SESSION);
    control.bridged(NOW, SessionId(8), other, &[caller, ben], "ben");
    assert_eq!(begun(&mut asked), []);
    assert!(control.wish(NOW, "call_2", Wish::Pause).is_ok());
}
