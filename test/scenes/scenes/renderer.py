"""The renderer: a street lit once by many shadow passes, vehicles drawn over it region by region."""

from __future__ import annotations

from dataclasses import dataclass

import moderngl
import numpy as np

from . import shaders as S
from .camera import Camera, ortho, perspective_light
from .lights import Light
from .vehicles import VehicleModel


@dataclass
class Street:
    """Static scene: vertices N×12 (pos, normal, uv, tint, layer), tile pictures L×H×W×4, a ground picture and its rectangle."""

    vertices: np.ndarray
    tiles: np.ndarray
    ground: np.ndarray
    ground_rect: tuple[float, float, float, float]
    lamps: list[tuple[float, float, float]]
    lo: np.ndarray
    hi: np.ndarray


@dataclass
class Placed:
    """One vehicle in one picture. ``pose`` = x, y, heading; ``lights`` = head, tail brightness."""

    ident: int
    model: "GpuModel"
    pose: tuple[float, float, float]
    paint: tuple[float, float, float]
    plate: moderngl.Texture | None
    plate_size: tuple[float, float]
    steer: float = 0.0
    spin: float = 0.0
    lights: tuple[float, float] = (0.0, 0.0)
    cloth: tuple[float, float, float] = (0.05, 0.06, 0.10)
    cloth2: tuple[float, float, float] = (0.7, 0.7, 0.68)
    dirt: float = 0.4
    rim: float = 5.0
    plates: tuple[bool, bool] = (True, True)

    def matrix(self) -> np.ndarray:
        x, y, h = self.pose
        c, s = np.cos(h), np.sin(h)
        return np.array([[c, -s, 0, x], [s, c, 0, y], [0, 0, 1, 0], [0, 0, 0, 1.0]])


class GpuModel:
    """Buffers of one vehicle model."""

    def __init__(self, src: VehicleModel):
        self.src = src
        self.vao = self.depth = self.wheel = self.wheel_depth = self.ident = self.wheel_ident = None
        self.mask = self.lamp = None
        self.layer = 0


def _bytes(m: np.ndarray) -> bytes:
    return np.ascontiguousarray(m.T, dtype="f4").tobytes()


def hemisphere(n: int, seed: int = 0) -> np.ndarray:
    """``n`` directions spread evenly over the upper hemisphere (solid angle)."""
    k = np.arange(n) + 0.5
    z = k / n * 0.985 + 0.012
    phi = np.pi * (1 + 5**0.5) * k + seed
    r = np.sqrt(1 - z * z)
    return np.stack([r * np.cos(phi), r * np.sin(phi), z], 1)


class Renderer:
    """One GL context with all programs; use :meth:`street`, :meth:`light`, then :meth:`draw`."""

    def __init__(self, width: int, height: int, supersample: int = 2, shadow: int = 2048):
        self.w, self.h, self.ss = width, height, supersample
        self.ctx = c = moderngl.create_context(standalone=True, backend="egl")
        self.p_depth = c.program(vertex_shader=S.DEPTH_VS, fragment_shader=S.DEPTH_FS)
        self.p_static = c.program(vertex_shader=S.STATIC_VS, fragment_shader=S.STATIC_FS)
        self.p_accum = c.program(vertex_shader=S.FULL_VS, fragment_shader=S.ACCUM_FS)
        self.p_combine = c.program(vertex_shader=S.FULL_VS, fragment_shader=S.COMBINE_FS)
        self.p_back = c.program(vertex_shader=S.FULL_VS, fragment_shader=S.BACK_FS)
        self.p_veh = c.program(vertex_shader=S.VEHICLE_VS, fragment_shader=S.VEHICLE_FS)
        self.p_plate = c.program(vertex_shader=S.PLATE_VS, fragment_shader=S.PLATE_FS)
        self.p_tone = c.program(vertex_shader=S.FULL_VS, fragment_shader=S.TONE_FS)
        self.p_id = c.program(vertex_shader=S.VEHICLE_VS, fragment_shader=S.ID_FS)
        self.p_idplate = c.program(vertex_shader=S.PLATE_VS, fragment_shader=S.ID_FS)
        self.full = {p: c.vertex_array(p, []) for p in (self.p_accum, self.p_combine, self.p_back, self.p_tone)}
        self.plate_vao = c.vertex_array(self.p_plate, [])
        self.plate_id_vao = c.vertex_array(self.p_idplate, [])
        W, H = width * supersample, height * supersample
        self.g_alb, self.g_nrm = c.texture((W, H), 4), c.texture((W, H), 4, dtype="f2")
        self.g_depth = c.depth_texture((W, H))
        self.g_depth.compare_func = ""
        self.g_depth.filter = (moderngl.NEAREST, moderngl.NEAREST)
        self.gbuf = c.framebuffer([self.g_alb, self.g_nrm], self.g_depth)
        self.acc = c.texture((W, H), 4, dtype="f2")
        self.accbuf = c.framebuffer([self.acc])
        names = ("sky", "sun", "lamp", "alb", "emit")
        self.layers = {n: c.texture((width, height), 4, dtype="f2") for n in names}
        self.bg_depth = c.texture((width, height), 1, dtype="f4")
        self.combine_buf = c.framebuffer([*self.layers.values(), self.bg_depth])
        for t in [*self.layers.values(), self.bg_depth, self.g_alb, self.g_nrm, self.acc]:
            t.filter = (moderngl.NEAREST, moderngl.NEAREST)
        self.town_size = 4096
        self.town = self._shadow_map(self.town_size)
        self.pass_map = self._shadow_map(2048)
        self.veh_size = shadow
        self.veh = self._shadow_map(shadow)
        self.models: list[GpuModel] = []
        self._foot: list[np.ndarray] = []
        self.foot_tex = None
        self._targets: dict[tuple[int, int], tuple] = {}
        self.sun_vp = self.town_vp = np.eye(4)

    def _shadow_map(self, size: int):
        t = self.ctx.depth_texture((size, size))
        t.compare_func = "<="
        t.filter = (moderngl.LINEAR, moderngl.LINEAR)
        t.repeat_x = t.repeat_y = False
        return t, self.ctx.framebuffer([], t)

    @staticmethod
    def _set(prog, **kw) -> None:
        for k, v in kw.items():
            if k in prog:
                if isinstance(v, np.ndarray) and v.ndim == 2 and v.shape == (4, 4):
                    prog[k].write(_bytes(v))
                elif isinstance(v, np.ndarray):
                    prog[k].write(v.astype("f4").tobytes())
                else:
                    prog[k].value = v

    # -- static street ---------------------------------------------------------------------------------------------

    def street(self, street: Street) -> None:
        """Upload a street; frees the one before."""
        c = self.ctx
        for name in ("_vbo", "_svao", "_dvao", "_tiles", "_ground"):
            if getattr(self, name, None) is not None:
                getattr(self, name).release()
        self.town_scene = street
        v = np.ascontiguousarray(street.vertices, dtype="f4")
        self._vbo = c.buffer(v.tobytes())
        self._svao = c.vertex_array(self.p_static, [(self._vbo, "3f 3f 2f 3f 1f", "in_pos", "in_nrm", "in_uv", "in_col", "in_layer")])
        self._dvao = c.vertex_array(self.p_depth, [(self._vbo, "3f 36x", "in_pos")])
        t = street.tiles
        self._tiles = c.texture_array((t.shape[2], t.shape[1], t.shape[0]), 4, np.ascontiguousarray(t).tobytes())
        self._tiles.build_mipmaps()
        self._tiles.filter = (moderngl.LINEAR_MIPMAP_LINEAR, moderngl.LINEAR)
        self._tiles.anisotropy = 8.0
        g = street.ground
        self._ground = c.texture((g.shape[1], g.shape[0]), 4, np.ascontiguousarray(g).tobytes())
        self._ground.build_mipmaps()
        self._ground.filter = (moderngl.LINEAR_MIPMAP_LINEAR, moderngl.LINEAR)
        self._ground.anisotropy = 16.0
        self._ground.repeat_x = self._ground.repeat_y = False

    def _common(self, prog) -> None:
        li = self.lighting
        lamps = self.town_scene.lamps[:8] if max(li.lamp) > 0 else []
        pos = np.zeros((8, 3), "f4")
        pos[: len(lamps)] = lamps if lamps else pos[:0]
        self._set(prog, sunDir=tuple(li.sun_dir), sunCol=li.sun, zenith=li.zenith, horizon=li.horizon, bounce=li.bounce, cityBand=0.55, cityCol=li.city, wet=li.wet, lampCount=len(lamps), lampPos=pos, lampCol=li.lamp, skyE=li.sky)

    def light(self, camera: Camera, light: Light, n_sky: int = 48, n_sun: int = 12, n_lamp: int = 3, seed: int = 0, blocked: float = 1.0) -> bool:
        """Accumulate sky, sun and lamp light on the street as ``camera`` sees it, then keep the products.

        False, with nothing lit, when more than the share ``blocked`` of the picture is taken by things nearer than 9 m.
        """
        c, s = self.ctx, self.town_scene
        self.camera, self.lighting = camera, light
        self.vp = camera.vp()
        inv = np.linalg.inv(self.vp)
        eye = tuple(camera.position)
        c.disable(moderngl.BLEND | moderngl.CULL_FACE)
        c.enable(moderngl.DEPTH_TEST)
        self.gbuf.use()
        self.gbuf.clear(0, 0, 0, 0, depth=1.0)
        self._tiles.use(0)
        self._ground.use(1)
        self._set(self.p_static, mvp=self.vp, tiles=0, ground=1, groundRect=s.ground_rect, eye=eye)
        self._svao.render()
        if blocked < 1.0:
            near, far = 1.0, 400.0
            limit = 0.5 * ((far + near) - 2 * far * near / 9.0) / (far - near) + 0.5
            if np.mean(np.frombuffer(self.g_depth.read(), "f4") < limit) > blocked:
                return False
        self.accbuf.use()
        self.accbuf.clear(0, 0, 0, 0)
        rng = np.random.default_rng(seed)
        jobs = []
        for d in hemisphere(n_sky, seed):
            jobs.append((d, None, (2.0 / n_sky, 0, 0, 0)))
        sd = light.sun_dir
        if max(light.sun) > 0:
            a = np.cross(sd, [0, 0, 1.0])
            a /= max(np.linalg.norm(a), 1e-6)
            b = np.cross(sd, a)
            for k in range(n_sun):
                r, ph = light.sun_radius * np.sqrt((k + 0.5) / n_sun), 2.39996 * k
                d = sd + a * r * np.cos(ph) + b * r * np.sin(ph)
                jobs.append((d / np.linalg.norm(d), None, (0, 1.0 / n_sun, 0, 0)))
        if max(light.lamp) > 0:
            for lp in s.lamps:
                for _ in range(n_lamp):
                    j = rng.normal(0, 0.10, 3) * (1, 1, 0.2)
                    jobs.append((None, np.array(lp) + j, (0, 0, 1 / n_lamp, 0)))
        tex, fbo = self.pass_map
        for d, lamp, weight in jobs:
            lvp = ortho(d, s.lo, s.hi) if lamp is None else perspective_light(lamp, lamp + np.array([0.02, 0.01, -1.0]), 2.4)
            fbo.use()
            fbo.clear(depth=1.0)
            c.polygon_offset = 1.5, 2.0
            self._set(self.p_depth, mvp=lvp)
            self._dvao.render()
            c.polygon_offset = 0.0, 0.0
            self.accbuf.use()
            c.disable(moderngl.DEPTH_TEST)
            c.enable(moderngl.BLEND)
            c.blend_func = moderngl.ONE, moderngl.ONE
            self.g_depth.use(0)
            self.g_nrm.use(1)
            tex.use(2)
            self._set(self.p_accum, depthTex=0, nrmTex=1, shadowTex=2, invVP=inv, lightVP=lvp, lightDir=tuple(d) if lamp is None else (0, 0, 1), lightPos=tuple(lamp) if lamp is not None else (0, 0, 0), weight=weight, perspective=0.0 if lamp is None else 1.0, bias=0.03)
            self.full[self.p_accum].render(moderngl.TRIANGLES, 3)
            c.disable(moderngl.BLEND)
            c.enable(moderngl.DEPTH_TEST)
        c.disable(moderngl.DEPTH_TEST)
        self.combine_buf.use()
        for i, t in enumerate((self.g_depth, self.g_nrm, self.g_alb, self.acc)):
            t.use(i)
        self._common(self.p_combine)
        self._set(self.p_combine, depthTex=0, nrmTex=1, albTex=2, accTex=3, invVP=inv, eye=eye, ss=self.ss, litWindows=light.windows)
        self.full[self.p_combine].render(moderngl.TRIANGLES, 3)
        c.enable(moderngl.DEPTH_TEST)
        self.town_vp = ortho(sd, s.lo, s.hi)
        tex, fbo = self.town
        fbo.use()
        fbo.clear(depth=1.0)
        c.polygon_offset = 1.5, 2.0
        self._set(self.p_depth, mvp=self.town_vp)
        self._dvao.render()
        c.polygon_offset = 0.0, 0.0
        return True

    # -- vehicles --------------------------------------------------------------------------------------------------

    def upload(self, src: VehicleModel) -> GpuModel:
        """Bake the ambient light of a model and put its buffers on the card."""
        c = self.ctx
        g = GpuModel(src)
        mesh = src.mesh
        ibo = c.buffer(np.ascontiguousarray(mesh.tri, dtype="i4").tobytes())
        g.pos_buf = c.buffer(np.ascontiguousarray(mesh.pos, dtype="f4").tobytes())
        g.depth = c.vertex_array(self.p_depth, [(g.pos_buf, "3f", "in_pos")], ibo)
        if src.wheel is not None:
            wi = c.buffer(np.ascontiguousarray(src.wheel.tri, dtype="i4").tobytes())
            wv = np.concatenate([src.wheel.pos, src.wheel.nrm, np.full((len(src.wheel.pos), 1), 0.45), src.wheel_mat[:, None]], 1).astype("f4")
            wb = c.buffer(wv.tobytes())
            g.wheel = c.vertex_array(self.p_veh, [(wb, "3f 3f 1f 1f", "in_pos", "in_nrm", "in_ao", "in_mat")], wi)
            g.wheel_depth = c.vertex_array(self.p_depth, [(wb, "3f 20x", "in_pos")], wi)
            g.wheel_ident = c.vertex_array(self.p_id, [(wb, "3f 20x", "in_pos")], wi)
        ao, foot = self._bake(g)
        v = np.concatenate([mesh.pos, mesh.nrm, ao[:, None], src.mat[:, None]], 1).astype("f4")
        vb = c.buffer(v.tobytes())
        g.vao = c.vertex_array(self.p_veh, [(vb, "3f 3f 1f 1f", "in_pos", "in_nrm", "in_ao", "in_mat")], ibo)
        g.ident = c.vertex_array(self.p_id, [(g.pos_buf, "3f", "in_pos")], ibo)
        for name in ("mask", "lamp"):
            a = getattr(src, name)
            if a is None:
                a = np.zeros((4, 4, 4, 4), np.uint8)
            t = c.texture_array((a.shape[2], a.shape[1], 4), 4, np.ascontiguousarray(a).tobytes())
            t.build_mipmaps()
            t.filter = (moderngl.LINEAR_MIPMAP_LINEAR, moderngl.LINEAR)
            t.repeat_x = t.repeat_y = False
            setattr(g, name, t)
        g.layer = len(self._foot)
        self._foot.append((foot * 255).astype(np.uint8))
        self.foot_tex = None
        self.models.append(g)
        return g

    def _wheels(self, src: VehicleModel, steer: float = 0.0, spin: float = 0.0):
        for x, y, front in src.wheel_places:
            a = steer if front else 0.0
            ca, sa, cs, ss = np.cos(a), np.sin(a), np.cos(spin), np.sin(spin)
            m = np.array([[ca, -sa, 0, x], [sa, ca, 0, y], [0, 0, 1, src.wheel_radius], [0, 0, 0, 1.0]])
            flip = 1.0 if y > 0 else -1.0  # half a turn about z shows the outer face on the other side
            m = m @ np.diag([flip, flip, 1, 1.0]) @ np.array([[cs, 0, ss, 0], [0, 1, 0, 0], [-ss, 0, cs, 0], [0, 0, 0, 1.0]])
            yield m

    def _draw_depth(self, g: GpuModel, mvp: np.ndarray, steer=0.0, spin=0.0) -> None:
        self._set(self.p_depth, mvp=mvp)
        g.depth.render()
        if g.wheel_depth is not None:
            for m in self._wheels(g.src, steer, spin):
                self._set(self.p_depth, mvp=mvp @ m)
                g.wheel_depth.render()

    def _bake(self, g: GpuModel, n: int = 40) -> tuple[np.ndarray, np.ndarray]:
        """Sky visibility per vertex (cosine weighted, of the upper hemisphere) and of the ground about the vehicle."""
        src, size = g.src, 256
        t = self.ctx.depth_texture((size, size))
        fbo = self.ctx.framebuffer([], t)
        lo = np.array([-src.length / 2 - 1.3, -src.width / 2 - 1.3, 0.0])
        hi = np.array([src.length / 2 + 1.3, src.width / 2 + 1.3, src.height + 0.1])
        gx = np.linspace(lo[0], hi[0], 64)
        gy = np.linspace(lo[1], hi[1], 32)
        gp = np.stack([*[a.ravel() for a in np.meshgrid(gx, gy)], np.full(64 * 32, 0.01)], 1)
        pts = np.concatenate([src.mesh.pos + src.mesh.nrm * 0.03, gp])
        nrm = np.concatenate([src.mesh.nrm, np.tile([0, 0, 1.0], (len(gp), 1))])
        total = np.zeros(len(pts))
        self.ctx.enable(moderngl.DEPTH_TEST)
        for d in hemisphere(n):
            mvp = ortho(d, lo, hi)
            fbo.use()
            fbo.clear(depth=1.0)
            self._draw_depth(g, mvp)
            z = np.frombuffer(t.read(), "f4").reshape(size, size)
            q = pts @ mvp[:3, :3].T + mvp[:3, 3]
            ij = np.clip(((q[:, :2] * 0.5 + 0.5) * size).astype(int), 0, size - 1)
            vis = (q[:, 2] * 0.5 + 0.5) <= z[ij[:, 1], ij[:, 0]] + 0.006
            total += vis * np.maximum(nrm @ d, 0) * 2 / n
        fbo.release()
        t.release()
        k = len(src.mesh.pos)
        return np.clip(total[:k], 0, 1).astype("f4"), np.clip(total[k:].reshape(32, 64), 0, 1)

    def plate_texture(self, img: np.ndarray) -> moderngl.Texture:
        t = self.ctx.texture((img.shape[1], img.shape[0]), 3, np.ascontiguousarray(img).tobytes(), alignment=1)
        t.build_mipmaps()
        t.filter = (moderngl.LINEAR_MIPMAP_LINEAR, moderngl.LINEAR)
        t.anisotropy = 16.0
        t.repeat_x = t.repeat_y = False
        return t

    # -- pictures --------------------------------------------------------------------------------------------------

    def shadows(self, placed: list[Placed], lo: np.ndarray, hi: np.ndarray) -> None:
        """Shadow maps of all vehicles for sun and the first lamps."""
        c = self.ctx
        c.enable(moderngl.DEPTH_TEST)
        c.disable(moderngl.BLEND)
        self.sun_vp = ortho(self.lighting.sun_dir, lo, hi)
        tex, fbo = self.veh
        fbo.use()
        fbo.clear(depth=1.0)
        if max(self.lighting.sun) > 0.1:
            c.polygon_offset = 1.0, 1.0
            for p in placed:
                self._draw_depth(p.model, self.sun_vp @ p.matrix(), p.steer, p.spin)
            c.polygon_offset = 0.0, 0.0

    def _target(self, w: int, h: int):
        if (w, h) not in self._targets:
            c = self.ctx
            ms = c.framebuffer([c.renderbuffer((w, h), 4, samples=4, dtype="f2")], c.depth_renderbuffer((w, h), samples=4))
            hdr = c.texture((w, h), 4, dtype="f2")
            hdr.filter = (moderngl.NEAREST, moderngl.NEAREST)
            ldr = c.framebuffer([c.texture((w, h), 4)])
            idb = c.framebuffer([c.renderbuffer((w, h), 4)], c.depth_renderbuffer((w, h)))
            self._targets[(w, h)] = (ms, hdr, c.framebuffer([hdr]), ldr, idb)
        return self._targets[(w, h)]

    def _crop_vp(self, x: int, y: int, w: int, h: int) -> np.ndarray:
        """Clip matrix of the sub-picture whose lower left corner (GL rows) is x, y."""
        sx, sy = self.w / w, self.h / h
        m = np.eye(4)
        m[0, 0], m[0, 3] = sx, (self.w - 2 * x - w) / w
        m[1, 1], m[1, 3] = sy, (self.h - 2 * y - h) / h
        return m @ self.vp

    def _beams(self, placed: list[Placed]):
        pos, dirs = np.zeros((12, 4), "f4"), np.zeros((12, 3), "f4")
        n = 0
        for p in placed:
            if p.lights[0] <= 0 or n >= 12:
                continue
            x, y, h = p.pose
            f = np.array([np.cos(h), np.sin(h), 0.0])
            s = p.model.src
            src = np.array([x, y, 0]) + f * (s.length / 2 + 0.05) + np.array([0, 0, min(0.75, s.height * 0.45)])
            pos[n, :3], pos[n, 3] = src, p.lights[0]
            dd = f + np.array([0, 0, -0.06])
            dirs[n] = dd / np.linalg.norm(dd)
            n += 1
        return n, pos, dirs

    def draw(self, placed: list[Placed], region: tuple[int, int, int, int] | None = None, lit: list[Placed] | None = None) -> np.ndarray:
        """Picture rows top down, uint8 RGB, of ``region`` (x, y, w, h with y from the top) or of the whole frame.

        ``lit`` are the vehicles whose lamps shine, when more than those drawn.
        """
        c, cam, li = self.ctx, self.camera, self.lighting
        x, y, w, h = region or (0, 0, self.w, self.h)
        gy = self.h - y - h
        ms, hdr, hdr_fbo, ldr, _ = self._target(w, h)
        vp = self._crop_vp(x, gy, w, h)
        eye = tuple(cam.position)
        n_beam, bpos, bdir = self._beams(lit if lit is not None else placed)
        if self.foot_tex is None and self._foot:
            a = np.stack(self._foot)
            self.foot_tex = c.texture_array((64, 32, len(a)), 1, a.tobytes(), alignment=1)
            self.foot_tex.repeat_x = self.foot_tex.repeat_y = False
            self.foot_tex.filter = (moderngl.LINEAR, moderngl.LINEAR)
        ms.use()
        ms.clear(0, 0, 0, 1, depth=1.0)
        c.enable(moderngl.DEPTH_TEST)
        c.depth_func = "1"
        pose, dim = np.zeros((24, 4), "f4"), np.ones((24, 4), "f4")
        for i, p in enumerate(placed[:24]):
            s = p.model.src
            pose[i] = p.pose[0], p.pose[1], np.cos(p.pose[2]), np.sin(p.pose[2])
            dim[i] = s.length + 2.6, s.width + 2.6, p.model.layer, 0
        for i, k in enumerate(("sky", "sun", "lamp", "alb", "emit")):
            self.layers[k].use(i)
        self.bg_depth.use(5)
        self.veh[0].use(6)
        if self.foot_tex is not None:
            self.foot_tex.use(7)
        self._common(self.p_back)
        self._set(self.p_back, skyTex=0, sunTex=1, lampTex=2, albTex=3, emitTex=4, depthTex=5, vehShadow=6, footTex=7, invVP=np.linalg.inv(self.vp), sunVP=self.sun_vp, origin=(x, gy), frame=(self.w, self.h), shadowPx=1.0 / self.veh_size, vehCount=min(len(placed), 24) if self._foot else 0, vehPose=pose, vehDim=dim, beamCount=n_beam, beamPos=bpos, beamDir=bdir)
        self.full[self.p_back].render(moderngl.TRIANGLES, 3)
        c.depth_func = "<="
        for prog in (self.p_veh, self.p_plate):
            self._common(prog)
            self._set(prog, vp=vp, eye=eye, vehShadow=0, townShadow=1, maskTex=2, lampTex=3, plateTex=4, sunVP=self.sun_vp, townVP=self.town_vp, shadowPx=1.0 / self.veh_size, townPx=1.5 / self.town_size, beamCount=n_beam, beamPos=bpos, beamDir=bdir, staticLight=0.95)
        self.veh[0].use(0)
        self.town[0].use(1)
        c.enable(moderngl.CULL_FACE)
        for p in placed:
            s = p.model.src
            p.model.mask.use(2)
            p.model.lamp.use(3)
            m = p.matrix()
            dim3 = (s.length, s.width, s.height if s.cls != "truck" else (2.15 if s.length < 6.6 else 2.65))
            self._set(self.p_veh, model=m, local=np.eye(4), dim=dim3, paint=p.paint, cloth=p.cloth, cloth2=p.cloth2, dirtK=p.dirt, lights=p.lights, wheelAo=-1.0, rimStyle=p.rim, wheelR=max(s.wheel_radius, 0.2))
            p.model.vao.render()
            if p.model.wheel is not None:
                self._set(self.p_veh, wheelAo=0.35)
                for wm in self._wheels(s, p.steer, p.spin):
                    self._set(self.p_veh, local=wm)
                    p.model.wheel.render()
            if p.plate is not None:
                p.plate.use(4)
                for k, mt in enumerate(s.mounts):
                    if p.plates[0 if mt.outward > 0 else 1]:
                        self._set(self.p_plate, model=m, mount=(mt.x, 0.0, mt.z, mt.tilt), size=p.plate_size, outward=float(mt.outward), plateLight=0.25 * p.lights[1] if mt.outward < 0 else 0.0)
                        self.plate_vao.render(moderngl.TRIANGLES, 6)
        c.disable(moderngl.CULL_FACE)
        c.copy_framebuffer(hdr_fbo, ms)
        ldr.use()
        c.disable(moderngl.DEPTH_TEST)
        hdr.use(0)
        self._set(self.p_tone, hdr=0, exposure=li.exposure, frame=(self.w, self.h), origin=(x, gy), vignette=0.42, tint=li.tint)
        self.full[self.p_tone].render(moderngl.TRIANGLES, 3)
        c.enable(moderngl.DEPTH_TEST)
        return np.frombuffer(ldr.read(components=3, alignment=1), np.uint8).reshape(h, w, 3)[::-1]

    def idents(self, placed: list[Placed], scale: int = 2, behind: bool = False) -> np.ndarray:
        """Which vehicle is seen at each pixel (0 none; plates as 128 + ident), rows top down, at 1/``scale`` size.

        With ``behind`` the street (trunks, posts, leaves) hides vehicles too.
        """
        c = self.ctx
        w, h = self.w // scale, self.h // scale
        idb = self._target(w, h)[4]
        idb.use()
        idb.clear(0, 0, 0, 0, depth=1.0)
        c.enable(moderngl.DEPTH_TEST)
        c.depth_func = "<="
        if behind:
            self._set(self.p_depth, mvp=self.vp)
            idb.color_mask = False, False, False, False
            self._dvao.render()
            idb.color_mask = True, True, True, True
        self._set(self.p_id, vp=self.vp, local=np.eye(4))
        for p in placed:
            self._set(self.p_id, model=p.matrix(), ident=float(p.ident), local=np.eye(4))
            p.model.ident.render()
            if p.model.wheel_ident is not None:
                for wm in self._wheels(p.model.src, p.steer, p.spin):
                    self._set(self.p_id, local=wm)
                    p.model.wheel_ident.render()
            if p.plate is not None:
                for mt in p.model.src.mounts:
                    if p.plates[0 if mt.outward > 0 else 1]:
                        self._set(self.p_idplate, model=p.matrix(), vp=self.vp, mount=(mt.x, 0.0, mt.z, mt.tilt), size=p.plate_size, outward=float(mt.outward), ident=float(p.ident + 128))
                        self.plate_id_vao.render(moderngl.TRIANGLES, 6)
        return np.frombuffer(idb.read(components=1, alignment=1), np.uint8).reshape(h, w)[::-1]

    def silhouette(self, p: Placed, scale: int = 2) -> float:
        """Pixels of one vehicle alone at 1/``scale`` size, as :meth:`idents` counts them."""
        return float(np.count_nonzero(self.idents([p], scale)))
