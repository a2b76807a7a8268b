//! Hanging up, and digits for the caller's side.

use super::super::command::By;
use super::{Call, Context, HungUpBy};

/// Duration of a digit, milliseconds.
const DIGIT_MS: u16 = 160;

impl Call {
    /// Sends digits to the caller's side.
    pub(in crate::centre) fn send_digits(&self, digits: &str, cx: &mut Context<'_>) {
        for digit in digits.chars() {
            cx.coordinator.send_dtmf(cx.now, self.caller, digit, DIGIT_MS);
        }
    }

    /// Ends the call. Its record says whether a supervisor did so.
    pub(in crate::centre) fn hang_up(&mut self, by: &By, cx: &mut Context<'_>) {
        self.hung_up_by = match by {
            By::Supervisor(_) => HungUpBy::Supervisor,
            By::Agent(_) | By::Gateway => HungUpBy::Participant,
        };
        self.terminate(cx);
    }
}
