-- Lots, cameras and berths that were taken out of the site keep their rows: visits, evidence and footage speak of them. Putting one
-- back makes it live again, with the analysis going on where it stood.
ALTER TABLE lot ADD COLUMN retired_at int8;
ALTER TABLE camera ADD COLUMN retired_at int8;
ALTER TABLE berth ADD COLUMN retired_at int8;
-- As the site has it, so that evidence of a retired berth can still be drawn.
ALTER TABLE berth ADD COLUMN doc jsonb;

-- A number belongs to one berth at a time, not for ever.
ALTER TABLE berth DROP CONSTRAINT berth_lot_code_number_key;
CREATE UNIQUE INDEX berth_number ON berth (lot_code, number) WHERE retired_at IS NULL;
