//! Carrier profiles: settings that trunks of one carrier have in common, as data that comes with the gateway.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::LazyLock;

use toml::de::DeTable;

use super::ConfigError;
use super::reader::{Reader, Section, filled, text};

/// Files of the profiles, by their names.
const FILES: [(&str, &str); 13] = [
    ("bandwidth", include_str!("../../../profiles/bandwidth.toml")),
    ("didww", include_str!("../../../profiles/didww.toml")),
    ("fritzbox", include_str!("../../../profiles/fritzbox.toml")),
    ("generic", include_str!("../../../profiles/generic.toml")),
    ("openai", include_str!("../../../profiles/openai.toml")),
    ("sipgate", include_str!("../../../profiles/sipgate.toml")),
    ("teams", include_str!("../../../profiles/teams.toml")),
    ("telekom", include_str!("../../../profiles/telekom.toml")),
    ("telnyx", include_str!("../../../profiles/telnyx.toml")),
    ("twilio", include_str!("../../../profiles/twilio.toml")),
    ("vodafone", include_str!("../../../profiles/vodafone.toml")),
    ("vonage", include_str!("../../../profiles/vonage.toml")),
    ("whatsapp", include_str!("../../../profiles/whatsapp.toml")),
];

/// Keys that every trunk needs, whatever its profile says.
const ALWAYS: [&str; 2] = ["name", "address"];

/// Settings and facts that trunks of one carrier have in common.
#[derive(Debug)]
pub struct Profile {
    /// Name by which a trunk asks for it.
    pub name: &'static str,
    /// Name of the carrier's product.
    pub title: String,
    /// Keys of the trunk that only its owner knows, and what to put there.
    pub needs: BTreeMap<String, String>,
    /// Keys that some trunks need, and what to put there.
    pub asks: BTreeMap<String, String>,
    /// Steps to take on the carrier's side.
    pub setup: Vec<String>,
    /// Form of the numbers that are dialled.
    pub out: Numbers,
    /// Form of the numbers that are called.
    pub called: Numbers,
    /// Keys of the trunk.
    trunk: DeTable<'static>,
}

/// Form in which a carrier wants or sends numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Numbers {
    /// As they are dialled.
    #[default]
    AsDialled,
    /// With country code and `+` (E.164).
    E164,
    /// With the prefix of the country's own network.
    National,
}

impl Profile {
    /// All profiles, by name.
    pub fn all() -> &'static [Profile] {
        static ALL: LazyLock<Vec<Profile>> = LazyLock::new(|| {
            let read = FILES.iter().map(|(name, file)| Profile::read(name, file));
            let (good, bad): (Vec<_>, Vec<_>) = read.partition(Result::is_ok);
            debug_assert!(bad.is_empty(), "{bad:?}");
            good.into_iter().flatten().collect()
        });
        &ALL
    }

    /// The profile of this name.
    ///
    /// # Errors
    /// There is none; the text names those that there are.
    pub fn find(name: &str) -> Result<&'static Profile, String> {
        let found = Profile::all().iter().find(|profile| profile.name == name);
        found.ok_or_else(|| {
            let names: Vec<&str> = Profile::all().iter().map(|profile| profile.name).collect();
            format!("there is no profile `{name}`; known: {}", names.join(", "))
        })
    }

    /// Keys of the trunk that the profile sets, as they are written.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.trunk.keys().map(|key| key.get_ref().as_ref())
    }

    fn read(name: &'static str, file: &'static str) -> Result<Profile, Vec<ConfigError>> {
        let mut r = Reader::new(Path::new(name), file);
        let (table, broken) = DeTable::parse_recoverable(file);
        for error in &broken {
            r.fail(error.span().unwrap_or(0..0), error.message());
        }
        let mut root = Section::new("", table.get_ref());
        let title = r.need(&mut root, "title", &(0..0), filled).unwrap_or_default();
        let needs = words(&mut r, &mut root, "needs");
        let asks = words(&mut r, &mut root, "asks");
        let mut setup = Vec::new();
        if let Some(mut section) = r.section(&mut root, "setup") {
            setup.extend(r.list(&mut section, "steps", filled).unwrap_or_default());
            r.finish(section);
        }
        let (mut out, mut called) = (None, None);
        if let Some(mut section) = r.section(&mut root, "numbers") {
            out = r.get(&mut section, "out", |v| Numbers::read(text(v)?));
            called = r.get(&mut section, "in", |v| Numbers::read(text(v)?));
            r.finish(section);
        }
        let trunk = table
            .get_ref()
            .get("trunk")
            .and_then(|trunk| trunk.get_ref().as_table());
        root.leave("trunk");
        // What the carrier demands is for the tests of the profile.
        root.leave("sources");
        root.leave("scenarios");
        r.finish(root);
        if !r.errors.is_empty() {
            return Err(r.errors);
        }
        Ok(Profile {
            name,
            title,
            needs,
            asks,
            setup,
            out: out.unwrap_or_default(),
            called: called.unwrap_or_default(),
            trunk: trunk.cloned().unwrap_or_default(),
        })
    }
}

impl Numbers {
    fn read(text: &str) -> Result<Numbers, String> {
        match text {
            "as-dialled" => Ok(Numbers::AsDialled),
            "e164" => Ok(Numbers::E164),
            "national" => Ok(Numbers::National),
            other => Err(format!("`{other}` is none of: as-dialled, e164, national")),
        }
    }
}

/// Reads a table of keys and words about them.
fn words<'t>(r: &mut Reader<'t>, root: &mut Section<'t>, key: &'static str) -> BTreeMap<String, String> {
    let entries = r.entries(root, key, "address = \"host of the trunk\"");
    let read = entries
        .into_iter()
        .filter_map(|(name, value, span)| match filled(value) {
            Ok(words) => Some((name.to_owned(), words)),
            Err(message) => {
                r.fail(span, message);
                None
            }
        });
    read.collect()
}

/// Reads `profile` of a trunk: its settings count where the trunk's own say nothing.
pub(super) fn read_profile<'t>(r: &mut Reader<'t>, trunk: &mut Section<'t>) -> Option<&'static Profile> {
    let profile = r.get(trunk, "profile", |v| Profile::find(text(v)?))?;
    let named = trunk.span("profile").unwrap_or(0..0);
    trunk.fall_back(&profile.trunk, &profile.needs, named.clone());
    let missing = |key: &&String| !ALWAYS.contains(&key.as_str()) && trunk.span(key).is_none();
    let missing: Vec<&String> = profile.needs.keys().filter(missing).collect();
    for key in missing {
        let hint = &profile.needs[key];
        r.fail(named.clone(), format!("trunks.{key} is missing: {hint}"));
    }
    Some(profile)
}
