//! Pages of shops: parsed and read within a budget.

pub(super) mod budget;
pub(super) mod dom;
