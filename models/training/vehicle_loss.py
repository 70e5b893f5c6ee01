"""Loss of the detector: task-aligned assignment, box GIoU, objectness, class, footprint quad up to a half turn, where the front is."""
import torch
import torch.nn.functional as F

from vehicle_net import END, RIGHT, STRIDES, decode


def giou(a, b):
    lo, hi = torch.maximum(a[:, :2], b[:, :2]), torch.minimum(a[:, 2:], b[:, 2:])
    inter = (hi - lo).clamp(min=0).prod(1)
    area = lambda x: (x[:, 2:] - x[:, :2]).clamp(min=0).prod(1)
    union = area(a) + area(b) - inter + 1e-6
    hull = (torch.maximum(a[:, 2:], b[:, 2:]) - torch.minimum(a[:, :2], b[:, :2])).prod(1) + 1e-6
    return inter / union - (hull - union) / hull


def iou(a, b):
    """IoU of boxes pair by pair, shapes ... x 4."""
    lo, hi = torch.maximum(a[..., :2], b[..., :2]), torch.minimum(a[..., 2:], b[..., 2:])
    inter = (hi - lo).clamp(min=0).prod(-1)
    area = lambda x: (x[..., 2:] - x[..., :2]).clamp(min=0).prod(-1)
    return inter / (area(a) + area(b) - inter + 1e-6)


LEVELS = {8: (0, 64), 16: (30, 140), 32: (84, 1e9)}  # longer side of the truths, in input pixels, that a level answers for
REACH = 2  # cells to each side of a truth's centre that may answer for it, on every level


@torch.no_grad()
def assign(boxes, obj, gt, picture, size, top=9):
    """Which cells answer for which truth, for a whole batch.

    boxes N x A x 4, obj N x A (probability), gt M x 4 with `picture` M (its index in the batch); `size` is
    the input's width and height.     Returns cells (indices into N*A), their truth's index and their target quality. A cell answers for one truth only;
    each truth gets its `top` best cells by sqrt(objectness) * IoU^4.
    """
    n, a = obj.shape
    flat_boxes, flat_obj = boxes.reshape(-1, 4), obj.reshape(-1)
    centre, half = (gt[:, :2] + gt[:, 2:]) / 2, ((gt[:, 2:] - gt[:, :2]) / 2).clamp(min=1)
    span = torch.arange(-REACH, REACH + 1)
    dy, dx = (g.reshape(-1) for g in torch.meshgrid(span, span, indexing="ij"))
    cells, allowed, start = [], [], 0
    for s in STRIDES:
        w, h = size[0] // s, size[1] // s
        x = (centre[:, 0] / s).long()[:, None] + dx
        y = (centre[:, 1] / s).long()[:, None] + dy
        ok = (x >= 0) & (x < w) & (y >= 0) & (y < h)
        d = torch.stack([(x + 0.5) * s, (y + 0.5) * s], -1) - centre[:, None]
        inside = (d.abs() < half[:, None]).all(-1) | (d.abs() < s).all(-1)  # tiny ones fall between cell centres
        longest = (half.max(1).values * 2)[:, None]
        low, high = LEVELS[s]
        ok &= inside & (longest >= low) & (longest < high)
        cells.append(picture[:, None] * a + start + y.clamp(0, h - 1) * w + x.clamp(0, w - 1))
        allowed.append(ok)
        start += w * h
    cells, allowed = torch.cat(cells, 1), torch.cat(allowed, 1)
    overlap = iou(flat_boxes[cells], gt[:, None])
    metric = (flat_obj[cells].clamp(min=1e-4).sqrt() * overlap.pow(4) + 1e-9) * allowed
    best = metric.topk(min(top, metric.shape[1]), 1)
    value, cell, over = best.values, cells.gather(1, best.indices), overlap.gather(1, best.indices)
    peak = value.max(1, keepdim=True).values.clamp(min=1e-12)
    reach = 0.4 + 0.6 * over.max(1, keepdim=True).values  # a truth is worth a good score even while its box is still loose
    quality = (value / peak * reach).clamp(min=0.05)
    truth = torch.arange(len(gt))[:, None].expand_as(cell)
    keep = value > 0
    cell, truth, quality, value = cell[keep], truth[keep], quality[keep], value[keep]
    top_value = torch.zeros(n * a).scatter_reduce(0, cell, value, "amax")
    owner = torch.full((n * a,), -1, dtype=torch.long)
    win = value == top_value[cell]
    owner[cell[win]] = truth[win]
    win &= owner[cell] == truth  # one of equal claims
    return cell[win], truth[win], quality[win]


def loss(raw_box, raw_cls, targets, points, strides, size):
    """`targets`: per picture (boxes, cls, quads with nearer end and weight, ignore, background weight) as tensors. Returns total and parts."""
    n, a = raw_cls.shape[:2]
    obj_logit = raw_cls[..., 0].float()
    prob = obj_logit.detach().sigmoid()
    gt = torch.cat([t[0] for t in targets])
    cls = torch.cat([t[1] for t in targets])
    quad = torch.cat([t[2] for t in targets])
    picture = torch.cat([torch.full((len(t[0]),), i, dtype=torch.long) for i, t in enumerate(targets)])
    boxes, quads = decode(raw_box.float(), points, strides)
    end, right = raw_cls[..., END].float().reshape(-1), raw_cls[..., RIGHT].float().reshape(-1)
    weight = torch.ones(n, a)
    for i, (_, _, _, ignore, background) in enumerate(targets):
        weight[i] = float(background)
        if len(ignore):
            p, grow = points[:, None], strides * 0.5
            weight[i][((p >= ignore[None, :, :2] - grow[:, None]) & (p <= ignore[None, :, 2:] + grow[:, None])).all(2).any(1)] = 0
    quality = torch.zeros(n * a)
    parts = {k: raw_box.new_zeros((), dtype=torch.float32) for k in ("obj", "cls", "box", "quad", "axis", "end")}
    norm = 1.0
    if len(gt):
        cell, truth, q = assign(boxes.detach(), prob, gt, picture, size)
        quality[cell] = q
        weight.view(-1)[cell] = 1
        norm = max(float(q.sum()), 1.0)
        parts["box"] = ((1 - giou(boxes.reshape(-1, 4)[cell], gt[truth])) * q).sum() / norm
        known = cls[truth] >= 0
        if known.any():
            logits = raw_cls.reshape(n * a, -1)[cell[known], 1:END].float()
            parts["cls"] = (F.cross_entropy(logits, cls[truth][known], reduction="none") * q[known]).sum() / norm
        has = torch.isfinite(quad[truth][:, :8]).all(1)
        told = torch.isfinite(quad[truth][:, 8])
        ends, ends_weight = [], []
        if told.any():
            ends.append(F.binary_cross_entropy_with_logits(end[cell[told]], quad[truth][told][:, 8], reduction="none") * q[told])
            ends_weight.append(q[told])
        if has.any():
            t, c, w = truth[has], cell[has], q[has] * quad[truth][has][:, 9]
            size = (gt[t][:, 2:] - gt[t][:, :2]).prod(1).sqrt().clamp(min=8)[:, None, None]
            want, got = quad[t][:, :8].reshape(-1, 4, 2) / size, quads.reshape(-1, 4, 2)[c] / size
            # The learnt order starts at the end that is nearer to the camera (lower in the picture); the end logit says whether
            # that is the rear. Where both ends lie level, either order will do.
            axis = (want[:, 0] + want[:, 1] - want[:, 2] - want[:, 3]) / 2
            rear_near = axis[:, 1] < 0
            half_turn = torch.cat([want[:, 2:], want[:, :2]], 1)
            straight = F.smooth_l1_loss(got, want, beta=0.05, reduction="none").sum((1, 2))
            turned = F.smooth_l1_loss(got, half_turn, beta=0.05, reduction="none").sum((1, 2))
            level = axis[:, 1].abs() < 0.2 * axis.norm(dim=1)
            flip = torch.where(level, (turned < straight).detach(), rear_near)
            fit = torch.where(flip, turned, straight)
            # the direction by itself: seen from the end, a vehicle's axis is short in the picture, and small errors of corners turn it far
            ahead = torch.where(flip[:, None], -axis, axis)
            seen = (got[:, 0] + got[:, 1] - got[:, 2] - got[:, 3]) / 2
            cross = (ahead[:, 0] * seen[:, 1] - ahead[:, 1] * seen[:, 0]) / (ahead.norm(dim=1) * seen.norm(dim=1)).clamp(min=1e-4)
            parts["quad"] = (fit * w).sum() / w.sum()
            parts["axis"] = (F.smooth_l1_loss(cross, torch.zeros_like(cross), beta=0.05, reduction="none") * w).sum() / w.sum()
            way = axis / axis.norm(dim=1, keepdim=True).clamp(min=1e-4)
            from_side = w * way[:, 0].abs()
            ends.append(F.binary_cross_entropy_with_logits(right[c], (way[:, 0] > 0).float(), reduction="none") * from_side)
            from_end = w * way[:, 1].abs() * ~told[has]  # what lanes say of the end goes before the footprint
            ends.append(F.binary_cross_entropy_with_logits(end[c], rear_near.float(), reduction="none") * from_end)
            ends_weight += [from_side, from_end]
        if ends:
            parts["end"] = torch.cat(ends).sum() / torch.cat(ends_weight).sum().clamp(min=1e-6)
    quality = quality.view(n, a)
    focal = torch.where(quality > 0, (prob - quality).abs() + 0.3, prob.pow(1.5))
    parts["obj"] = (F.binary_cross_entropy_with_logits(obj_logit, quality, reduction="none") * focal * weight).sum() / norm
    total = parts["obj"] + parts["cls"] * 0.5 + parts["box"] * 5.0 + parts["quad"] * 1.5 + parts["axis"] * 2.0 + parts["end"] * 2.0
    return total, {k: float(v.detach()) for k, v in parts.items()}
