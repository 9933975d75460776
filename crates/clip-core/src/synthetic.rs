//! Seeded synthetic checkpoints: the exact shapes of a real model, values that mean nothing.
