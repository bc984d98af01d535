//! Saved plans: the exact text that is written, and what is refused when it is read back.

use crate::plan::Plan;
use crate::plan::change::PLAN_API_VERSION;
use crate::plan::identity::Hashed;
use chrono::{DateTime, TimeDelta, Utc};

/// How far a plan's clock may be ahead of ours: clocks of two machines differ a little.
const AHEAD_SECONDS_MAX: i64 = 60;

/// Why a saved plan is not applied.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// It is no plan, or not one byte for byte as it was written.
    #[error("the plan is not as `plan --out` wrote it: {why}")]
    Altered {
        /// What is different.
        why: String,
    },
    /// It is of another version of the format.
    #[error("the plan is of version {found}; this partnerctl applies {PLAN_API_VERSION}")]
    OtherVersion {
        /// Its version.
        found: String,
    },
    /// It is too old.
    #[error("the plan was made {created_at}, longer than {ttl_hours} hours ago")]
    Expired {
        /// When it was made.
        created_at: String,
        /// How long plans hold.
        ttl_hours: i64,
    },
    /// It was made in the future.
    #[error("the plan is dated {created_at}, ahead of the clock here")]
    Ahead {
        /// When it says that it was made.
        created_at: String,
    },
}

/// What a plan of any version says that it is.
const ANY_VERSION: &str = "partnerctl.dev/plan/";

/// True when a file says that it is a plan, though it may be altered: others, such as manifests, are
/// not plans that somebody changed.
#[must_use]
pub fn is_meant(bytes: &[u8]) -> bool {
    String::from_utf8_lossy(bytes).contains(ANY_VERSION)
}

/// The plan as it is printed and saved.
#[must_use]
pub fn text(plan: &Plan) -> String {
    let mut text = serde_json::to_string_pretty(plan).unwrap_or_default();
    text.push('\n');
    text
}

/// Reads a saved plan. Every byte counts: what is read must be written the same way again, and its
/// digest must be that of its content.
///
/// # Errors
/// When it is not a plan of this version exactly as it was written.
pub fn read(text: &str) -> Result<Plan, Refused> {
    let altered = |why: &str| Refused::Altered { why: why.to_owned() };
    let value: serde_json::Value = serde_json::from_str(text)
        .map_err(|error| altered(&format!("it is not JSON ({error})")))?;
    let version = value.get("apiVersion").and_then(|version| version.as_str()).unwrap_or_default();
    if version != PLAN_API_VERSION {
        return Err(Refused::OtherVersion { found: format!("`{version}`") });
    }
    let mut plan: Plan = serde_json::from_value(value)
        .map_err(|error| altered(&format!("it cannot be read ({error})")))?;
    let hashed = Hashed::of(&mut plan);
    let id = hashed.id(&plan);
    if plan.digest != hashed.digest(&plan) {
        return Err(altered("its digest does not fit its content"));
    }
    // What is approved by the id is what the id stands for.
    if plan.id != id {
        return Err(altered("its id is not that of its changes"));
    }
    if self::text(&plan) != text {
        return Err(altered("its text was changed"));
    }
    Ok(plan)
}

/// True when an approval still holds.
#[must_use]
pub fn holds(given: DateTime<Utc>, now: DateTime<Utc>, ttl: TimeDelta) -> bool {
    let age = now - given;
    age <= ttl && age >= TimeDelta::seconds(-AHEAD_SECONDS_MAX)
}

/// Refuses a plan that is too old, or dated ahead.
///
/// # Errors
/// When it is.
pub fn check_age(plan: &Plan, now: DateTime<Utc>, ttl: TimeDelta) -> Result<(), Refused> {
    let created_at = plan.created_at.clone();
    let Ok(at) = DateTime::parse_from_rfc3339(&created_at) else {
        return Err(Refused::Altered { why: "createdAt is not an instant".to_owned() });
    };
    let age = now - at.to_utc();
    if age < TimeDelta::seconds(-AHEAD_SECONDS_MAX) {
        return Err(Refused::Ahead { created_at });
    }
    if age > ttl {
        return Err(Refused::Expired { created_at, ttl_hours: ttl.num_hours() });
    }
    Ok(())
}
