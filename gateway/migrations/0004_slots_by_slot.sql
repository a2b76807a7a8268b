CREATE INDEX slots_slot ON slots (slot);
