//! Telephone numbers: E.164 (`+493012345`) inside, and the forms in which people dial them and trunks write them.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

/// Most digits of an E.164 number (ITU-T E.164 §6.2.1), its country code included.
const MOST: usize = 15;
/// Fewest digits of a number that is read as international: shorter ones are services, extensions or codes.
const FEWEST: usize = 7;
/// Fewest digits of a number that is dialled within an area.
const FEWEST_LOCAL: usize = 5;

/// Error in the way a place dials.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NumberingError {
    /// Not a country code of 1 to 3 digits that begins with 1 to 9 (ITU-T E.164 §6.2.2).
    Country(String),
    /// Not an area code of 1 to 6 digits.
    Area(String),
    /// Not a prefix of up to 5 digits; that of international calls has at least one.
    Prefix(String),
    /// Not a length of 4 to 14 digits.
    Length(usize),
    /// Without a prefix a national number is known by its length alone, which is missing.
    NoLength,
}

impl fmt::Display for NumberingError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NumberingError::Country(text) => {
                write!(f, "`{text}` is not a country code of 1 to 3 digits, e.g. \"49\"")
            }
            NumberingError::Area(text) => {
                write!(f, "`{text}` is not an area code of 1 to 6 digits, e.g. \"30\"")
            }
            NumberingError::Prefix(text) => {
                write!(f, "`{text}` is not a prefix of up to 5 digits, e.g. \"00\"")
            }
            NumberingError::Length(length) => write!(f, "{length} is not a length from 4 to 14 digits"),
            NumberingError::NoLength => {
                f.write_str("a national number without a prefix is known by its length, which is missing")
            }
        }
    }
}

impl std::error::Error for NumberingError {}

/// Way in which numbers are dialled at a place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Numbering {
    country: String,
    area: Option<String>,
    international: String,
    national: String,
    national_length: Option<usize>,
}

impl Numbering {
    /// That of a country, by its code without a plus: `00` and `0` before international and national numbers; in the North American
    /// plan (`1`) `011` and `1`, and ten digits.
    ///
    /// # Errors
    /// [`NumberingError::Country`].
    pub fn new(country: &str) -> Result<Numbering, NumberingError> {
        let good = (1..=3).contains(&country.len()) && is_digits(country) && !country.starts_with('0');
        if !good {
            return Err(NumberingError::Country(country.to_owned()));
        }
        let (international, national, national_length) = match country {
            "1" => ("011", "1", Some(10)),
            _ => ("00", "0", None),
        };
        Ok(Numbering {
            country: country.to_owned(),
            area: None,
            international: international.to_owned(),
            national: national.to_owned(),
            national_length,
        })
    }

    /// With the code of the area in which numbers without a prefix are: `30`.
    ///
    /// # Errors
    /// [`NumberingError::Area`].
    pub fn with_area(mut self, area: &str) -> Result<Numbering, NumberingError> {
        if !(1..=6).contains(&area.len()) || !is_digits(area) {
            return Err(NumberingError::Area(area.to_owned()));
        }
        self.area = Some(area.to_owned());
        Ok(self)
    }

    /// With another prefix of international numbers.
    ///
    /// # Errors
    /// [`NumberingError::Prefix`].
    pub fn with_international(mut self, prefix: &str) -> Result<Numbering, NumberingError> {
        if prefix.is_empty() || prefix.len() > 5 || !is_digits(prefix) {
            return Err(NumberingError::Prefix(prefix.to_owned()));
        }
        self.international = prefix.to_owned();
        Ok(self)
    }

    /// With another prefix of national numbers, and their length without it, if it is always the same. Without a prefix the length is
    /// needed: it tells a national number from others.
    ///
    /// # Errors
    /// [`NumberingError::Prefix`], [`NumberingError::Length`], [`NumberingError::NoLength`].
    pub fn with_national(mut self, prefix: &str, length: Option<usize>) -> Result<Numbering, NumberingError> {
        if prefix.len() > 5 || !is_digits(prefix) {
            return Err(NumberingError::Prefix(prefix.to_owned()));
        }
        match length {
            Some(length) if !(4..=14).contains(&length) => return Err(NumberingError::Length(length)),
            None if prefix.is_empty() => return Err(NumberingError::NoLength),
            _ => {}
        }
        self.national = prefix.to_owned();
        self.national_length = length;
        Ok(self)
    }

    /// The prefix of national numbers.
    #[must_use]
    pub fn national(&self) -> &str {
        &self.national
    }

    /// The usual length of a national number without its prefix.
    #[must_use]
    pub fn national_length(&self) -> Option<usize> {
        self.national_length
    }

    /// A dialled number in E.164, with its plus. `None`: not a number of the public network as it is dialled here, but an extension, a
    /// service or a name.
    #[must_use]
    pub fn e164(&self, dialled: &str) -> Option<String> {
        self.beyond_area(dialled).or_else(|| {
            let area = self.area.as_ref()?;
            // No subscriber's number begins with 0 or 1: those are prefixes, services and emergency numbers.
            let is_local =
                dialled.len() >= FEWEST_LOCAL && is_digits(dialled) && !dialled.starts_with(['0', '1']);
            is_local.then(|| self.national_number(&format!("{area}{dialled}")))?
        })
    }

    /// As [`e164`](Self::e164), but a number without a prefix belongs to no area.
    fn beyond_area(&self, dialled: &str) -> Option<String> {
        if let Some(number) = dialled.strip_prefix('+') {
            return international(number);
        }
        if !is_digits(dialled) {
            return None;
        }
        if let Some(number) = dialled.strip_prefix(&self.international) {
            return international(number);
        }
        if let Some(number) = dialled
            .strip_prefix(&self.national)
            .filter(|_| !self.national.is_empty())
            && self.is_national(number)
        {
            return self.national_number(number);
        }
        let length = self.national_length?;
        (dialled.len() == length).then(|| self.national_number(dialled))?
    }

    /// True if these may be the digits of a national number after its prefix.
    fn is_national(&self, number: &str) -> bool {
        match self.national_length {
            Some(length) => number.len() == length,
            None => number.len() >= FEWEST_LOCAL - 1 && !number.starts_with('0'),
        }
    }

    fn national_number(&self, number: &str) -> Option<String> {
        international(&format!("{}{number}", self.country))
    }
}

/// Digits with a country code, as E.164.
fn international(digits: &str) -> Option<String> {
    let good = (FEWEST..=MOST).contains(&digits.len()) && is_digits(digits) && !digits.starts_with('0');
    good.then(|| format!("+{digits}"))
}

fn is_digits(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit())
}

/// Form in which a trunk wants and sends numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum NumberForm {
    /// As they are: nothing is changed.
    #[default]
    AsIs,
    /// `+493012345`.
    Plus,
    /// `493012345`.
    Digits,
    /// With the prefix of international calls, `00493012345`.
    International,
    /// As dialled in the trunk's country, `03012345`; numbers of other countries with the prefix of international calls.
    National,
}

/// Numbers at a trunk: their form, and the place whose prefixes they have.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TrunkNumbers {
    form: NumberForm,
    at: Option<Arc<Numbering>>,
}

impl TrunkNumbers {
    /// Numbers in that form. `None`: no place is known, and only numbers that are written with a plus, or with their country code alone,
    /// are changed.
    #[must_use]
    pub fn new(form: NumberForm, at: Option<Arc<Numbering>>) -> TrunkNumbers {
        TrunkNumbers { form, at }
    }

    /// True if the trunk has a form of its own.
    pub(crate) fn are_rewritten(&self) -> bool {
        self.form != NumberForm::AsIs
    }

    /// A called number in E.164, as far as it is known.
    pub(crate) fn known<'n>(&self, number: &'n str) -> Cow<'n, str> {
        let known = self.at.as_ref().and_then(|at| at.e164(number));
        known.map_or(Cow::Borrowed(number), Cow::Owned)
    }

    /// A called number as the trunk wants it. One that is no number of the public network stays as it is.
    #[must_use]
    pub fn called<'n>(&self, number: &'n str) -> Cow<'n, str> {
        let known = || match &self.at {
            Some(at) => at.e164(number),
            None => international(number.strip_prefix('+')?),
        };
        match self.form {
            NumberForm::AsIs => Cow::Borrowed(number),
            form => known().map_or(Cow::Borrowed(number), |known| self.write(form, known).into()),
        }
    }

    /// The number of a caller, or of whoever diverted a call, as the trunk wants it. Only those in E.164 are changed: others are names,
    /// extensions, or numbers that somebody wrote for this trunk.
    #[must_use]
    pub fn shown<'n>(&self, number: &'n str) -> Cow<'n, str> {
        match number.strip_prefix('+').and_then(international) {
            Some(known) if self.are_rewritten() => self.write(self.form, known).into(),
            _ => Cow::Borrowed(number),
        }
    }

    /// A number that came from the trunk, in E.164. One that is no number of the public network stays as it came.
    #[must_use]
    pub fn read<'n>(&self, number: &'n str) -> Cow<'n, str> {
        let dialled = || self.at.as_ref()?.beyond_area(number);
        let known = match self.form {
            NumberForm::AsIs => None,
            NumberForm::Digits => international(number).or_else(dialled),
            _ => dialled(),
        };
        known.map_or(Cow::Borrowed(number), Cow::Owned)
    }

    /// An E.164 number in a form.
    fn write(&self, form: NumberForm, known: String) -> String {
        let digits = &known[1..];
        match (form, &self.at) {
            (NumberForm::Digits, _) => digits.to_owned(),
            (NumberForm::International, Some(at)) => format!("{}{digits}", at.international),
            (NumberForm::National, Some(at)) => {
                // One of another length is no number of the country's plan, and would be read as something else.
                let has_length =
                    |national: &&str| at.national_length.is_none_or(|length| national.len() == length);
                match digits.strip_prefix(&at.country).filter(has_length) {
                    Some(national) => format!("{}{national}", at.national),
                    None => format!("{}{digits}", at.international),
                }
            }
            (NumberForm::AsIs | NumberForm::Plus | NumberForm::International | NumberForm::National, _) => {
                known
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn berlin() -> Numbering {
        Numbering::new("49").unwrap().with_area("30").unwrap()
    }

    fn new_york() -> Numbering {
        Numbering::new("1").unwrap()
    }

    fn madrid() -> Numbering {
        Numbering::new("34").unwrap().with_national("", Some(9)).unwrap()
    }

    #[test]
    fn a_number_that_has_not_the_length_of_its_country_is_written_in_full() {
        let trunk = TrunkNumbers::new(NumberForm::National, Some(Arc::new(new_york())));
        for (number, written) in [
            ("+12125550123", "12125550123"),
            ("+1100000000", "0111100000000"),
            ("+493012345678", "011493012345678"),
        ] {
            assert_eq!(trunk.called(number), written);
            assert_eq!(trunk.read(written), number);
        }
    }

    #[test]
    fn a_number_is_read_as_it_is_dialled_at_its_place() {
        let numbers = [
            (berlin(), "+493012345678", "+493012345678"),
            (berlin(), "00493012345678", "+493012345678"),
            (berlin(), "03012345678", "+493012345678"),
            (berlin(), "12345678", ""),
            (berlin(), "22345678", "+493022345678"),
            (berlin(), "0012125550123", "+12125550123"),
            (berlin(), "112", ""),
            (berlin(), "110", ""),
            (berlin(), "116117", ""),
            (berlin(), "1001", ""),
            (berlin(), "9001", ""),
            (berlin(), "anna", ""),
            (berlin(), "*43", ""),
            (berlin(), "", ""),
            (berlin(), "0", ""),
            (berlin(), "00", ""),
            (berlin(), "+", ""),
            (berlin(), "000000000", ""),
            (berlin(), "+1234567890123456", ""),
            (berlin(), "+04930123456", ""),
            (Numbering::new("49").unwrap(), "22345678", ""),
            (new_york(), "2125550123", "+12125550123"),
            (new_york(), "12125550123", "+12125550123"),
            (new_york(), "0114930123456", "+4930123456"),
            (new_york(), "1001", ""),
            (new_york(), "911", ""),
            (madrid(), "910123456", "+34910123456"),
            (madrid(), "91012345", ""),
            (madrid(), "00493012345", "+493012345"),
        ];
        for (place, dialled, number) in numbers {
            let number = Some(number).filter(|number| !number.is_empty());
            assert_eq!(place.e164(dialled).as_deref(), number, "{dialled}");
        }
    }

    #[test]
    fn a_trunk_gets_and_sends_numbers_in_its_form() {
        let at = Some(Arc::new(berlin()));
        let forms = [
            (NumberForm::AsIs, "03012345678", "0012125550123"),
            (NumberForm::Plus, "+493012345678", "+12125550123"),
            (NumberForm::Digits, "493012345678", "12125550123"),
            (NumberForm::International, "00493012345678", "0012125550123"),
            (NumberForm::National, "03012345678", "0012125550123"),
        ];
        for (form, own, abroad) in forms {
            let trunk = TrunkNumbers::new(form, at.clone());
            assert_eq!(trunk.called("03012345678"), own, "{form:?}");
            assert_eq!(trunk.called("0012125550123"), abroad, "{form:?}");
            for untouched in ["112", "1001", "anna", "*43", ""] {
                assert_eq!(trunk.called(untouched), untouched, "{form:?}");
                assert_eq!(trunk.shown(untouched), untouched, "{form:?}");
                assert_eq!(trunk.read(untouched), untouched, "{form:?}");
            }
            if form != NumberForm::AsIs {
                assert_eq!(trunk.shown("+493012345678"), own, "{form:?}");
                assert_eq!(trunk.read(own), "+493012345678", "{form:?}");
                assert_eq!(trunk.read(abroad), "+12125550123", "{form:?}");
                assert_eq!(trunk.read("+12125550123"), "+12125550123", "{form:?}");
            }
            assert_eq!(
                trunk.shown("03012345678"),
                "03012345678",
                "written for this trunk"
            );
        }
    }

    #[test]
    fn without_a_place_only_numbers_with_a_country_code_are_changed() {
        let digits = TrunkNumbers::new(NumberForm::Digits, None);
        assert_eq!(digits.called("+493012345678"), "493012345678");
        assert_eq!(digits.called("03012345678"), "03012345678");
        assert_eq!(digits.read("493012345678"), "+493012345678");
        assert_eq!(digits.read("03012345678"), "03012345678");
        let plus = TrunkNumbers::new(NumberForm::Plus, None);
        assert_eq!(plus.called("03012345678"), "03012345678");
        assert_eq!(plus.read("+493012345678"), "+493012345678");
    }

    #[test]
    fn nonsense_is_refused() {
        assert_eq!(Numbering::new("049"), Err(NumberingError::Country("049".into())));
        assert_eq!(Numbering::new("+49"), Err(NumberingError::Country("+49".into())));
        assert_eq!(Numbering::new(""), Err(NumberingError::Country(String::new())));
        assert_eq!(berlin().with_area("x"), Err(NumberingError::Area("x".into())));
        assert_eq!(
            berlin().with_international(""),
            Err(NumberingError::Prefix(String::new()))
        );
        assert_eq!(berlin().with_national("", None), Err(NumberingError::NoLength));
        assert_eq!(
            berlin().with_national("0", Some(3)),
            Err(NumberingError::Length(3))
        );
    }

    proptest::proptest! {
        /// Whatever a trunk gets of a number in E.164 is that number when it comes back from there.
        #[test]
        fn a_number_survives_the_way_there_and_back(digits in "[1-9][0-9]{6,14}", country in "[1-9][0-9]{0,2}") {
            let at = Arc::new(Numbering::new(&country).unwrap());
            let number = format!("+{digits}");
            for form in [NumberForm::Plus, NumberForm::Digits, NumberForm::International] {
                let trunk = TrunkNumbers::new(form, Some(Arc::clone(&at)));
                let written = trunk.called(&number).into_owned();
                proptest::prop_assert_eq!(trunk.read(&written), number.as_str());
            }
            let trunk = TrunkNumbers::new(NumberForm::National, Some(at));
            let written = trunk.called(&number).into_owned();
            let read = trunk.read(&written).into_owned();
            // One as short as a service stays as it is; one that begins with 0 looks like one of another country.
            let is_plain = digits.strip_prefix(&country).is_none_or(|national| !national.starts_with('0'));
            proptest::prop_assert!(!is_plain || read == number || read == written, "{written} -> {read}");
        }

        #[test]
        fn no_text_is_a_number_by_accident(text in "\\PC{0,20}") {
            let at = berlin();
            if let Some(number) = at.e164(&text) {
                proptest::prop_assert!(number.len() > FEWEST && number[1..].bytes().all(|b| b.is_ascii_digit()));
                proptest::prop_assert_eq!(at.e164(&number), Some(number.clone()));
            }
        }
    }
}
