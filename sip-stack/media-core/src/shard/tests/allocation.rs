//! The packet path does not allocate.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::time::Duration;

use super::world::World;
use crate::control::{Command, InjectionId, Role, SoundRate, StreamIndex};
use crate::negotiated::{Codec, Foreign};

/// The system's allocator, counted for each thread.
struct Counting;

thread_local! {
    static COUNT: Cell<u64> = const { Cell::new(0) };
}

/// Number of allocations of this thread.
pub(super) fn allocations() -> u64 {
    COUNT.get()
}

#[allow(unsafe_code, reason = "an allocator cannot be written without")]
// SAFETY: every call goes to the system's allocator as it came
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let _ = COUNT.try_with(|count| count.set(count.get() + 1));
        // SAFETY: the caller's promise is passed on
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise is passed on
        unsafe { System.dealloc(place, layout) }
    }

    unsafe fn realloc(&self, place: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        let _ = COUNT.try_with(|count| count.set(count.get() + 1));
        // SAFETY: the caller's promise is passed on
        unsafe { System.realloc(place, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Allocations inside libopus are not counted; it allocates when a state is made and takes the stack for the rest.
#[test]
fn neither_relay_nor_transcode_allocates_once_it_runs() {
    let g729 = Codec::Foreign(Foreign::fixed(18, None).unwrap());
    let mut warm_up = 0;
    for (left, right) in [
        (Codec::Pcmu, Codec::Pcmu),
        (Codec::Opus, Codec::Pcmu),
        (Codec::Pcmu, Codec::Pcma),
        (Codec::Opus, Codec::G722),
        (Codec::Pcmu, Codec::G722),
        (g729, g729),
    ] {
        let mut world = World::new(41);
        let (browser, phone) = (world.browser(left), world.phone(right));
        world.bridge(browser, phone);
        let now = world.now;
        world.peers[browser].speak(now, 440.0, -14.0);
        world.peers[phone].speak(now, 1_004.0, -14.0);
        world.run(Duration::from_secs(3));
        warm_up += std::mem::take(&mut world.allocations);
        world.run(Duration::from_secs(10));
        assert_eq!(world.allocations, 0, "{left:?} {right:?}");
        let report = world.report(phone);
        assert!(
            report.packets_received > 600 && report.packets_sent > 600,
            "{report:?}"
        );
    }
    // Making the codecs allocates, and is seen to.
    assert!(warm_up > 0);
}

#[test]
fn what_crosses_from_shard_to_shard_is_not_allocated() {
    for (left, right) in [
        (Codec::Pcmu, Codec::Pcmu),
        (Codec::Opus, Codec::Pcmu),
        (Codec::Opus, Codec::G722),
    ] {
        let mut world = World::with_shards(43, 2);
        let (browser, phone) = (world.browser(left), world.phone(right));
        world.bridge(browser, phone);
        let now = world.now;
        world.peers[browser].speak(now, 440.0, -14.0);
        world.peers[phone].speak(now, 1_004.0, -14.0);
        world.run(Duration::from_secs(3));
        world.allocations = 0;
        world.run(Duration::from_secs(10));
        assert_eq!(world.allocations, 0, "{left:?} {right:?}");
        let report = world.report(phone);
        assert!(
            report.packets_received > 600 && report.packets_sent > 600,
            "{report:?}"
        );
    }
}

#[test]
fn a_mix_does_not_allocate_once_it_runs() {
    let mut world = World::new(42);
    let peers = [
        world.browser(Codec::Opus),
        world.browser(Codec::Opus),
        world.phone(Codec::Pcmu),
        world.phone(Codec::Pcma),
        world.browser(Codec::Opus),
        world.browser(Codec::Opus),
        world.phone(Codec::G722),
    ];
    let now = world.now;
    for (i, peer) in peers.into_iter().enumerate() {
        world.peers[peer].speak(now, 440.0 + 200.0 * i as f64, -20.0);
    }
    let members: Vec<(usize, Role)> = peers
        .into_iter()
        .map(|peer| (peer, if peer < 4 { Role::Party } else { Role::Listener }))
        .collect();
    world.bridge_as(&members);
    world.run(Duration::from_secs(3));
    assert!(std::mem::take(&mut world.allocations) > 0);
    world.run(Duration::from_secs(10));
    assert_eq!(world.allocations, 0);
    assert!(world.report(peers[5]).packets_sent > 600);
}

#[test]
fn a_tap_an_injection_and_a_watch_do_not_allocate_once_they_run() {
    for (left, right, third) in [
        (Codec::Pcmu, Codec::Pcmu, false),
        (Codec::Opus, Codec::Opus, false),
        (Codec::Opus, Codec::Pcmu, false),
        (Codec::Opus, Codec::Pcmu, true),
    ] {
        for inject in [false, true] {
            for shards in [1, 2] {
                let what = format!("{left:?} {right:?} {third} {inject} on {shards}");
                let mut world = World::with_shards(44, shards);
                let mut peers = vec![world.browser(left), world.phone(right)];
                if third {
                    peers.push(world.phone(Codec::Pcma));
                }
                let parties: Vec<_> = peers.iter().map(|peer| (*peer, Role::Party)).collect();
                world.bridge_as(&parties);
                let now = world.now;
                world.peers[peers[0]].speak(now, 440.0, -14.0);
                world.peers[peers[1]].speak(now, 1_004.0, -14.0);
                let (leg, shard) = (world.leg(peers[1]), world.shard_of(peers[1]));
                let injection = InjectionId(1);
                world.command(Command::Tap {
                    leg,
                    stream: StreamIndex::FIRST,
                    on: true,
                });
                world.command(Command::WatchSpeech { leg, on: true });
                if inject {
                    world.command(Command::Inject {
                        leg,
                        injection,
                        rate: SoundRate::Hz48000,
                        over: true,
                    });
                }
                world.run(Duration::from_secs(3));
                world.allocations = 0;
                world.tapped.clear();
                for _ in 0..250 {
                    let before = allocations();
                    world.shards[shard].handle_sound(leg, injection, &[1_000; 960]);
                    assert_eq!(allocations(), before, "{what}");
                    world.run(Duration::from_millis(20));
                }
                assert_eq!(world.allocations, 0, "{what}");
                assert!(world.tapped.len() > 480, "{what}: {}", world.tapped.len());
            }
        }
    }
}
