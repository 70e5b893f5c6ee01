import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { z } from 'zod';
import { BerthwatchError, messageOf } from '../../base/errors.js';
import { BERTH_LOOKS, BODY_COLOURS, PLATE_COLOURS, VEHICLE_CLASSES, VEHICLE_VIEWS } from '../observation.js';

/*
 * models/manifest.json: which networks see what, and how their tensors are to be read.
 *
 * Every family but `yolox` does its own sigmoid, softmax and grid arithmetic inside the graph, so that an operator's own network only
 * has to keep the shapes below. N is the batch (a fixed 1 is accepted, then pictures go in one by one), A the number of
 * candidates, T time steps.
 *
 * | family             | outputs                                                                                       |
 * | ------------------ | --------------------------------------------------------------------------------------------- |
 * | `anchor-free-quad` | `boxes` [N,A,4] x0 y0 x1 y1, `scores` [N,A,classes] 0 to 1, optional `quads` [N,A,8]          |
 * | `yolox`            | `predictions` [N,A,5+classes]: the raw head with sigmoids, its grid arithmetic is done here      |
 * | `corner-heatmap`   | `scores` [N,A] 0 to 1, `corners` [N,A,8] top-left, top-right, bottom-right, bottom-left       |
 * | `ctc-reader`       | `probs` [N,T,1+charset] (class 0 is the blank), optional `colour` [N,colours], `rows` [N,2], `plate` [N,1] |
 * | `classifier`       | one [N,labels] of probabilities for each head                                                 |
 *
 * All coordinates are pixels of the network's input. Footprint quads start at the vehicle's front left corner and run
 * front left, front right, rear right, rear left.
 */

const positive = z.number().int().positive();
const probability = z.number().min(0).max(1);
const tensorName = z.string().min(1);
/** x0 y0 x1 y1 as fractions of a rectified plate. */
const fractionBox = z.tuple([probability, probability, probability, probability]);

const inputSchema = z.strictObject({
  name: tensorName,
  width: positive.max(4096),
  height: positive.max(4096),
  channels: z.enum(['rgb', 'bgr']),
  layout: z.literal('nchw'),
  /** The network sees (byte × scale − mean) ÷ std for each channel. */
  scale: z.number().positive(),
  mean: z.tuple([z.number(), z.number(), z.number()]),
  std: z.tuple([z.number().positive(), z.number().positive(), z.number().positive()]),
  /** `letterbox`: aspect kept, picture in the middle, grey around it; `stretch`: both axes scaled to fit. */
  resize: z.enum(['letterbox', 'stretch']),
  /** Byte value around a letterboxed picture. */
  padding: z.number().int().min(0).max(255).default(114),
});

const common = {
  id: z.string().regex(/^[a-z0-9][a-z0-9.-]*$/),
  /** Path relative to the manifest; must stay in its folder. */
  file: z.string().min(1),
  sha256: z.string().regex(/^[0-9a-f]{64}$/),
  input: inputSchema,
  licence: z.string().min(1),
  trainedOn: z.array(z.string()),
  /** Measured figures; empty: not measured. */
  accuracy: z.record(z.string(), z.unknown()),
  note: z.string().optional(),
};

const vehiclesSchema = z.strictObject({
  ...common,
  task: z.literal('vehicles'),
  family: z.enum(['anchor-free-quad', 'yolox']),
  outputs: z.union([z.strictObject({ boxes: tensorName, scores: tensorName, quads: tensorName.optional() }), z.strictObject({ predictions: tensorName })]),
  /** Only of `yolox`: strides of its levels in the order of its rows. */
  strides: z.array(positive).min(1).default([8, 16, 32]),
  /** Meaning of each score column. `null`: the network knows a class that we do not use. */
  classes: z.array(z.enum(VEHICLE_CLASSES).nullable()).min(1),
  /**
   * `exclusive`: the scores of a candidate share one probability (softmax), so that of being a motor vehicle at all is the
   * sum of car, bus and truck. `independent`: each class has its own (sigmoid, YOLOX), so it is the largest of them.
   */
  scoreKind: z.enum(['exclusive', 'independent']).default('exclusive'),
  /** The network takes any multiple of this as height and width: pictures of another shape come in without padding, with as many pixels as the input has. */
  sizeStep: positive.optional(),
  /**
   * Regions are looked at once more at half the width and height, where vehicles count whose longer side has at least so many pixels of that input: what
   * fills a picture is too large for a small network at its own size. Needs a `sizeStep`. Absent: no such look.
   */
  nearFrom: positive.optional(),
  thresholds: z.strictObject({
    score: probability,
    nms: probability.default(0.5),
    /** A large motor vehicle below `score` counts from here on where its plate is read so surely that one reading is believed. Absent: none does. */
    withPlate: probability.optional(),
    /** Where two-wheelers and persons count from, which are small and seldom get a car's scores. Absent: from `score`. */
    twoWheeler: probability.optional(),
    person: probability.optional(),
  }),
});

const platesSchema = z.strictObject({
  ...common,
  task: z.literal('plates'),
  family: z.literal('corner-heatmap'),
  outputs: z.strictObject({ scores: tensorName, corners: tensorName }),
  /** Margin put around the vehicle's box before the crop, as a fraction of its width and height. */
  cropMargin: z.number().min(0).max(0.5).default(0.05),
  /** The network takes any multiple of this as height and width, up to the input's: crops then come in without padding, second looks in half the size. */
  sizeStep: positive.optional(),
  thresholds: z.strictObject({ score: probability }),
});

const readerSchema = z.strictObject({
  ...common,
  task: z.literal('plate-reader'),
  family: z.literal('ctc-reader'),
  outputs: z.strictObject({
    probs: tensorName,
    colour: tensorName.optional(),
    rows: tensorName.optional(),
    plate: tensorName.optional(),
  }),
  /** Text file beside the manifest: one character a line; line n is class n, class 0 is the CTC blank. */
  charset: z.string().min(1),
  colours: z.array(z.enum(PLATE_COLOURS)).default([...PLATE_COLOURS]),
  /**
   * How a plate of two rows is brought before a reader of one row: both bands of the rectified plate, as fractions of it,
   * are laid side by side; the upper one takes `topShare` of the input's width. Absent: two-row plates are read as they are.
   */
  twoRow: z.strictObject({ top: fractionBox, bottom: fractionBox, topShare: probability }).optional(),
  thresholds: z.strictObject({
    /** A reading whose worst character is below this counts as a plate that could not be read. */
    character: probability.default(0.3),
    /** Below this the crop is not a plate at all (only with a `plate` output). */
    plate: probability.default(0.5),
  }),
});

const headNames = ['vehicle-type', 'body-colour', 'view'] as const;
const headLabels: Record<(typeof headNames)[number], readonly string[]> = {
  'vehicle-type': ['small', 'medium', 'large'],
  'body-colour': BODY_COLOURS,
  view: VEHICLE_VIEWS,
};

const classifierSchema = z.strictObject({
  ...common,
  task: z.literal('attributes'),
  family: z.literal('classifier'),
  outputs: z.strictObject({
    heads: z
      .array(
        z
          .strictObject({ name: z.enum(headNames), output: tensorName, labels: z.array(z.string()).min(2) })
          .superRefine((head, context) => {
            for (const label of head.labels) {
              if (!headLabels[head.name].includes(label)) {
                context.addIssue({ code: 'custom', path: ['labels'], message: `"${label}" is no label of ${head.name}; known: ${headLabels[head.name].join(', ')}` });
              }
            }
          }),
      )
      .min(1),
  }),
  /** Margin put around the vehicle's box before the crop, as a fraction of its width and height. */
  cropMargin: z.number().min(0).max(0.5).default(0.05),
  thresholds: z.record(z.string(), probability).default({}),
});

const berthsSchema = z.strictObject({
  ...common,
  task: z.literal('berths'),
  family: z.literal('classifier'),
  /** [N,labels] of probabilities. */
  outputs: z.strictObject({ state: tensorName }),
  labels: z.array(z.enum(BERTH_LOOKS)).length(BERTH_LOOKS.length),
  /** The crop: a square around the berth's bounding box, `side` times as long as its longer side, its middle raised by `rise` of that. */
  crop: z.strictObject({ side: z.number().min(1).max(4), rise: z.number().min(-0.5).max(0.5) }),
  /** How far everything outside the berth's outline is moved towards the padding's grey. */
  dim: probability,
  thresholds: z.strictObject({
    /** A look below this is none. */
    state: probability.default(0.8),
  }),
});

const manifestSchema = z
  .strictObject({
    version: z.literal(1),
    models: z.array(z.discriminatedUnion('task', [vehiclesSchema, platesSchema, readerSchema, classifierSchema, berthsSchema])),
  })
  .superRefine((manifest, context) => {
    const ids = new Set<string>();
    const tasks = new Set<string>();
    for (const [i, model] of manifest.models.entries()) {
      if (model.task === 'vehicles' && 'predictions' in model.outputs !== (model.family === 'yolox')) {
        context.addIssue({ code: 'custom', path: ['models', i, 'outputs'], message: `${model.family} wants ${model.family === 'yolox' ? '"predictions"' : '"boxes" and "scores"'}` });
      }
      if (model.task === 'vehicles' && model.nearFrom !== undefined && model.sizeStep === undefined) {
        context.addIssue({ code: 'custom', path: ['models', i, 'nearFrom'], message: 'a look at half the size needs a network that takes any size: say its sizeStep' });
      }
      if (ids.has(model.id)) context.addIssue({ code: 'custom', path: ['models', i, 'id'], message: `"${model.id}" is used twice` });
      if (tasks.has(model.task)) context.addIssue({ code: 'custom', path: ['models', i, 'task'], message: `a second model for "${model.task}"; keep one` });
      ids.add(model.id);
      tasks.add(model.task);
    }
  });

export type ModelInput = z.infer<typeof inputSchema>;
export type VehiclesModel = z.infer<typeof vehiclesSchema>;
export type PlatesModel = z.infer<typeof platesSchema>;
export type ReaderModel = z.infer<typeof readerSchema>;
export type AttributesModel = z.infer<typeof classifierSchema>;
export type BerthsModel = z.infer<typeof berthsSchema>;
export type ModelEntry = VehiclesModel | PlatesModel | ReaderModel | AttributesModel | BerthsModel;
export type Manifest = z.infer<typeof manifestSchema>;

/** A manifest whose every file was read and matched its hash. */
export interface LoadedManifest {
  manifest: Manifest;
  /** ONNX bytes by model id. */
  files: ReadonlyMap<string, Uint8Array>;
  /** Characters by model id of readers; index n is class n + 1. */
  charsets: ReadonlyMap<string, readonly string[]>;
}

/**
 * Checks the text of a manifest.
 * @param where named in errors, normally the file's path
 * @throws BerthwatchError bad-input, naming each wrong field
 */
export function parseManifest(text: string, where: string): Manifest {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (error) {
    throw new BerthwatchError('bad-input', 'VISION_MANIFEST', `${where} is not JSON: ${messageOf(error)}`, { cause: error });
  }
  const parsed = manifestSchema.safeParse(json);
  if (parsed.success) return parsed.data;
  const problems = parsed.error.issues.slice(0, 8).map((issue) => `${issue.path.join('.') || '(top)'}: ${issue.message}`);
  throw new BerthwatchError('bad-input', 'VISION_MANIFEST', `${where} is not a model manifest: ${problems.join('; ')}`, { detail: { problems } });
}

/** Reads a manifest without its model files. @throws BerthwatchError not-found, bad-input */
export async function readManifest(manifestPath: string): Promise<Manifest> {
  return parseManifest(Buffer.from(await readNamed(manifestPath, 'the model manifest')).toString('utf8'), manifestPath);
}

/**
 * Reads a manifest and every file it names, and refuses files whose SHA-256 is not the one the manifest gives: a network
 * that nobody vouched for must not decide about money.
 * @throws BerthwatchError not-found (a file is missing), bad-input (schema, path outside the folder, hash)
 */
export async function loadManifest(manifestPath: string): Promise<LoadedManifest> {
  const manifest = await readManifest(manifestPath);
  const files = new Map<string, Uint8Array>();
  const charsets = new Map<string, readonly string[]>();
  for (const model of manifest.models) {
    files.set(model.id, await readModelFile(manifestPath, model));
    if (model.task === 'plate-reader') charsets.set(model.id, await readCharset(manifestPath, model));
  }
  return { manifest, files, charsets };
}

/** The file of one model, whose hash matched. @throws BerthwatchError not-found, bad-input */
export async function readModelFile(manifestPath: string, model: ModelEntry): Promise<Uint8Array> {
  const bytes = await readNamed(beside(manifestPath, model.file), `model "${model.id}" of ${manifestPath}`);
  const found = createHash('sha256').update(bytes).digest('hex');
  if (found !== model.sha256) {
    throw new BerthwatchError(
      'bad-input',
      'VISION_MODEL_HASH',
      `${model.file} is not the file that ${manifestPath} vouches for: SHA-256 is ${found}, expected ${model.sha256}. Restore the file, or write its hash into the manifest if you replaced it on purpose`,
      { detail: { file: model.file, found, expected: model.sha256 } },
    );
  }
  return bytes;
}

/** The characters of a reader; index n is class n + 1. @throws BerthwatchError not-found, bad-input */
export async function readCharset(manifestPath: string, model: ReaderModel): Promise<readonly string[]> {
  return parseCharset(Buffer.from(await readNamed(beside(manifestPath, model.charset), `the character set of model "${model.id}"`)).toString('utf8'), model.charset);
}

/** One character a line, no empty line but the last. @throws BerthwatchError bad-input */
export function parseCharset(text: string, where: string): string[] {
  const lines = text.replace(/\r\n/g, '\n').replace(/\n$/, '').split('\n');
  for (const [i, line] of lines.entries()) {
    if ([...line].length !== 1) {
      throw new BerthwatchError('bad-input', 'VISION_CHARSET', `${where} line ${i + 1} must hold one character, it holds ${JSON.stringify(line)}`);
    }
  }
  if (new Set(lines).size !== lines.length) throw new BerthwatchError('bad-input', 'VISION_CHARSET', `${where} names a character twice`);
  return lines;
}

function beside(manifestPath: string, file: string): string {
  const folder = path.resolve(path.dirname(manifestPath));
  const full = path.resolve(folder, file);
  if (!full.startsWith(folder + path.sep)) {
    throw new BerthwatchError('bad-input', 'VISION_MANIFEST', `${manifestPath} names ${file}, which is outside its own folder`);
  }
  return full;
}

async function readNamed(file: string, what: string): Promise<Uint8Array> {
  try {
    return await readFile(file);
  } catch (error) {
    throw new BerthwatchError('not-found', 'VISION_MODEL_MISSING', `cannot read ${what}: ${messageOf(error)}`, { cause: error, detail: { file } });
  }
}
