//! What a kind says about its fields, as data.

use crate::model::{KindName, ResourceId, ResourceName, Spec, Value};

/// Rules of a field beyond its schema.
#[derive(Debug, Clone, Copy)]
pub struct Field {
    /// Dotted path below `spec`; the rules hold for everything below it.
    pub path: &'static str,
    /// True when it can be set only at creation.
    pub immutable: bool,
    /// The value it has when nobody declares it, as JSON.
    pub default: Option<&'static str>,
    /// How two values are compared.
    pub compare: Compare,
    /// What to do instead of changing an immutable field.
    pub instead: &'static str,
}

impl Field {
    /// A field with no rules yet.
    #[must_use]
    pub const fn new(path: &'static str) -> Self {
        Self { path, immutable: false, default: None, compare: Compare::Exact, instead: "" }
    }

    /// Set only at creation; `instead` says what to do when it must change.
    #[must_use]
    pub const fn immutable(mut self, instead: &'static str) -> Self {
        self.immutable = true;
        self.instead = instead;
        self
    }

    /// The value when nobody declares it, as JSON.
    #[must_use]
    pub const fn default(mut self, json: &'static str) -> Self {
        self.default = Some(json);
        self
    }

    /// Letter case does not count.
    #[must_use]
    pub const fn any_case(mut self) -> Self {
        self.compare = Compare::AnyCase;
        self
    }
}

/// How two values of a field are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compare {
    /// As they are.
    Exact,
    /// Letter case does not count.
    AnyCase,
}

/// A field that refers to another resource, as `{name: …}` or `{external: …}`.
#[derive(Debug, Clone, Copy)]
pub struct Reference {
    /// Dotted path below `spec`.
    pub path: &'static str,
    /// The kind it refers to.
    pub kind: &'static str,
    /// True while the kind comes with a later version: only `{external: …}` works then.
    pub later: bool,
    /// True for what is only observed and cannot be declared.
    pub observed: bool,
}

impl Reference {
    /// A reference to a kind.
    #[must_use]
    pub const fn new(path: &'static str, kind: &'static str) -> Self {
        Self { path, kind, later: false, observed: false }
    }

    /// A reference that only the outside has.
    #[must_use]
    pub const fn observed(path: &'static str, kind: &'static str) -> Self {
        Self { path, kind, later: false, observed: true }
    }

    /// A reference to a kind that this version does not have.
    #[must_use]
    pub const fn later(path: &'static str, kind: &'static str) -> Self {
        Self { path, kind, later: true, observed: false }
    }

    /// True for a place in a list of references, `exchange.from.[0]`.
    #[must_use]
    pub fn in_list(&self) -> bool {
        self.path.ends_with(']')
    }

    /// Where it leads in a spec.
    #[must_use]
    pub fn target(&self, spec: &Spec) -> Option<ReferenceTo> {
        let value = spec.get(self.path)?;
        if let Some(Value::String(name)) = value.get("name") {
            let (kind, name) = (KindName::new(self.kind), ResourceName::shared(name.clone()));
            Some(ReferenceTo::Resource(ResourceId { kind, name }))
        } else {
            let external = value.get("external")?.as_str()?;
            Some(ReferenceTo::External(external.to_owned()))
        }
    }
}

/// Where a reference leads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReferenceTo {
    /// To a declared or stored resource.
    Resource(ResourceId),
    /// To something partnerctl does not manage.
    External(String),
}

/// A column of `get`.
#[derive(Debug, Clone, Copy)]
pub struct Column {
    /// The heading.
    pub title: &'static str,
    /// Path below `spec`; several are joined by a space, the first that is there wins with `|`.
    pub path: &'static str,
    /// True when shown only with `-o wide`.
    pub wide: bool,
}

impl Column {
    /// A column of the narrow table.
    #[must_use]
    pub const fn new(title: &'static str, path: &'static str) -> Self {
        Self { title, path, wide: false }
    }

    /// A column of the wide table.
    #[must_use]
    pub const fn wide(title: &'static str, path: &'static str) -> Self {
        Self { title, path, wide: true }
    }
}
