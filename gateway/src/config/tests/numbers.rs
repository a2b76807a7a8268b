//! Numbers as they are dialled, rules with hours and callers of their own, and caps.

use std::time::Duration;

use call_engine::{CallRequest, CallerId, Decision, Origin};
use sans_io::Time;
use session_core::{CallRate, CapPer, Talk};

use super::*;

const TRUNK: &str = "[[trunks]]\nname='carrier'\naddress='192.0.2.1'\n";

fn read(lines: &str) -> Config {
    parse(&format!("{lines}{ALICE}")).expect(lines)
}

fn wrong(lines: &str) -> String {
    parse(&format!("{lines}{ALICE}")).expect_err(lines).join("\n")
}

#[test]
fn numbers_are_dialled_as_the_country_does_unless_the_file_says_otherwise() {
    let dialled = |lines: &str, number: &str| {
        let numbering = read(lines).numbering.expect("a numbering");
        numbering.e164(number).unwrap_or_default()
    };
    assert_eq!(read("").numbering, None);
    assert_eq!(dialled("[numbers]\ncountry='49'\n", "030123456"), "+4930123456");
    assert_eq!(
        dialled("[numbers]\ncountry='+49'\narea='30'\n", "223456"),
        "+4930223456"
    );
    assert_eq!(dialled("[numbers]\ncountry='1'\n", "2125550123"), "+12125550123");
    assert_eq!(
        dialled(
            "[numbers]\ncountry='34'\nnational=''\nnational_length=9\n",
            "910123456"
        ),
        "+34910123456"
    );
    assert_eq!(
        dialled(
            "[numbers]\ncountry='7'\ninternational='810'\nnational='8'\n",
            "84951234567"
        ),
        "+74951234567"
    );
    for (lines, message) in [
        ("[numbers]\n", "numbers.country"),
        ("[numbers]\ncountry='049'\n", "`049` is not a country code"),
        (
            "[numbers]\ncountry='49'\narea='x'\n",
            "numbers.area: `x` is not an area code",
        ),
        ("[numbers]\ncountry='49'\ninternational=''\n", "is not a prefix"),
        (
            "[numbers]\ncountry='34'\nnational=''\n",
            "`national_length` must say",
        ),
        (
            "[numbers]\ncountry='34'\nnational_length=3\n",
            "numbers.national_length",
        ),
        ("[numbers]\ncountry='49'\nprefix='0'\n", "unknown key `prefix`"),
    ] {
        assert!(wrong(lines).contains(message), "{lines}: {}", wrong(lines));
    }
}

#[test]
fn a_trunk_has_its_form_of_numbers() {
    let called = |lines: &str, form: &str| {
        let config = read(&format!("{lines}{TRUNK}numbers='{form}'\n"));
        config.trunks["carrier"].numbers.called("+493012345").into_owned()
    };
    let here = "[numbers]\ncountry='49'\n";
    assert_eq!(called("", "as-is"), "+493012345");
    assert_eq!(called("", "e164"), "493012345");
    assert_eq!(called(here, "+e164"), "+493012345");
    assert_eq!(called(here, "international"), "00493012345");
    assert_eq!(called(here, "national"), "03012345");
    assert!(wrong(&format!("{TRUNK}numbers='national'\n")).contains("add [numbers] with its `country`"));
    assert!(wrong(&format!("{TRUNK}numbers='E164'\n")).contains("`E164` is none of: as-is, +e164"));
}

#[test]
fn a_rule_has_hours_and_shows_a_caller() {
    let config = read(&format!(
        "{TRUNK}[[dial]]\nmatch='0.'\nhours=['mon-fri 08:00-18:00']\nholidays=['2026-12-25']\ntime_zone='Europe/Berlin'\n\
         trunk='carrier'\ncaller_id='+493012345'\n[[dial]]\nmatch='0.'\ntrunk='carrier'\ncaller_id='anonymous'\n"
    ));
    let shown = |at: &str| {
        let at: jiff::Timestamp = at.parse().expect("a moment");
        let at = Time(at.as_microsecond() as u64);
        let call = CallRequest::new(Origin::User("alice".into()), "0301", at);
        match config.plan().decide(&call) {
            Decision::Trunk { caller_id, .. } => caller_id,
            other => panic!("{other:?}"),
        }
    };
    let number = Some(CallerId::Number("+493012345".into()));
    assert_eq!(shown("2026-11-23T07:00:00Z"), number);
    assert_eq!(shown("2026-11-23T06:59:59Z"), Some(CallerId::Withheld));
    assert_eq!(shown("2026-12-25T12:00:00Z"), Some(CallerId::Withheld));
    for (rule, message) in [
        ("hours='8-18'\ntrunk='carrier'", "is not a valid time span"),
        ("holidays='2026-12-25'\ntrunk='carrier'", "belongs to `hours`"),
        ("caller_id='1'\nuser='alice'", "only trunks are shown a number"),
        ("caller_id='a b'\ntrunk='carrier'", "dial.caller_id"),
    ] {
        let message_of = wrong(&format!("{TRUNK}[[dial]]\nmatch='0.'\n{rule}\n"));
        assert!(message_of.contains(message), "{rule}: {message_of}");
    }
    // With hours the rule below is reached; without, or with the same, it is not.
    let twice = |hours: &str| {
        format!(
            "{TRUNK}[[dial]]\nmatch='0.'\n{hours}trunk='carrier'\n[[dial]]\nmatch='0.'\nhours='mon 08:00-09:00'\ntrunk='carrier'\n"
        )
    };
    assert!(parse(&format!("{}{ALICE}", twice("hours='tue 08:00-09:00'\n"))).is_ok());
    assert!(wrong(&twice("")).contains("never reached"));
    assert!(wrong(&twice("hours='mon 08:00-09:00'\n")).contains("never reached"));
}

#[test]
fn caps_are_read_and_nonsense_is_told() {
    let config = read(
        "[[caps]]\nname='abroad'\nprefixes=['+', '00']\nexcept='+49'\nper='all'\ncalls=2\nrate='20/1h'\nminutes='120/1d'\n\
         call_minutes=60\n[[caps]]\nname='premium'\nprefixes='0900'\ncalls=0\n",
    );
    let [abroad, premium] = &config.limits.caps[..] else {
        panic!("two caps")
    };
    assert_eq!((abroad.per, abroad.calls), (CapPer::All, Some(2)));
    let hour = Duration::from_secs(3_600);
    assert_eq!(
        abroad.rate,
        Some(CallRate {
            calls: 20,
            within: hour
        })
    );
    assert_eq!(
        abroad.talk,
        Some(Talk {
            most: 2 * hour,
            within: 24 * hour
        })
    );
    assert_eq!(abroad.longest, Some(hour));
    assert_eq!(
        (premium.per, premium.calls),
        (CapPer::Caller, Some(0)),
        "nobody may"
    );
    for (lines, message) in [
        ("", "caps nothing"),
        ("calls=-1", "caps.calls"),
        ("rate='20'", "must be calls in a span of time"),
        ("rate='20/1y'", "must be calls"),
        ("minutes='0/1d'", "must be minutes"),
        ("minutes='10/40d'", "must be minutes"),
        ("calls=1\nprefixes='abc'", "is not the beginning of a number"),
        ("calls=1\nper='user'", "is none of: caller, trunk, all"),
    ] {
        let told = wrong(&format!("[[caps]]\nname='x'\n{lines}\n"));
        assert!(told.contains(message), "{lines}: {told}");
    }
    let twice = "[[caps]]\nname='x'\ncalls=1\n[[caps]]\nname='x'\ncalls=2\n";
    assert!(wrong(twice).contains("there are two caps `x`"));
}
