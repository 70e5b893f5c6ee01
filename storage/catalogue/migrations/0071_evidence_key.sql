-- Whose picture an object is: "storage verify" asks it of every object.
CREATE INDEX evidence_by_key ON evidence (object_key);
