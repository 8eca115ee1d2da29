//! The status of a run: pass, error or fail.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::checks::CheckOutcome;

kinds! {
    /// The outcome of a run.
    #[derive(Serialize, Deserialize, JsonSchema)]
    #[serde(rename_all = "snake_case")]
    RunStatus {
        /// Every check passed and every planned message is accounted for.
        Pass = "pass",
        /// A check failed, or the account shows data loss or corruption.
        Fail = "fail",
        /// kaf6 cannot tell: the run is inconclusive.
        Error = "error",
    }
}

impl RunStatus {
    /// The same outcome for a check.
    pub const fn outcome(self) -> CheckOutcome {
        match self {
            Self::Pass => CheckOutcome::Pass,
            Self::Fail => CheckOutcome::Fail,
            Self::Error => CheckOutcome::Inconclusive,
        }
    }
}
