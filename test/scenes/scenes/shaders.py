"""GLSL of the renderer. Units: metres, linear light; irradiances are relative to an exposure chosen per light."""

COMMON = """
#version 330
#define MAX_LAMPS 8
#define MAX_BEAMS 12
uniform vec3 sunDir; uniform vec3 sunCol; uniform vec3 zenith; uniform vec3 horizon; uniform vec3 bounce;
uniform float cityBand; uniform vec3 cityCol; uniform float wet;
uniform int lampCount; uniform vec3 lampPos[MAX_LAMPS]; uniform vec3 lampCol;
uniform int beamCount; uniform vec4 beamPos[MAX_BEAMS]; uniform vec3 beamDir[MAX_BEAMS];

float hash(vec2 p){ return fract(sin(dot(p, vec2(127.1, 311.7))) * 43758.5453); }
vec3 sky(vec3 d){
  float h = clamp(d.z, 0.0, 1.0);
  vec3 c = mix(horizon, zenith, pow(h, 0.45));
  float s = max(dot(d, sunDir), 0.0);
  return c + sunCol * (0.10 * pow(s, 24.0) + 0.05 * pow(s, 4.0));
}
vec3 env(vec3 d){
  // mirror world: sky, a band of facades along the street, the ground below
  vec3 up = sky(normalize(vec3(d.xy, abs(d.z) + 0.02)));
  float el = d.z / max(abs(d.y) + 0.15 * abs(d.x), 1e-3);
  float az = floor(atan(d.y, d.x) * 9.0);
  float roof = cityBand * (0.55 + 0.9 * hash(vec2(az, 3.0)));
  vec2 cell = vec2(atan(d.y, d.x) * 11.0, el * 7.0);
  float win = step(0.45, fract(cell.x)) * step(0.4, fract(cell.y));
  vec3 wall = cityCol * (0.75 + 0.5 * hash(vec2(az, 7.0))) * (1.0 - 0.22 * win);
  vec3 c = mix(wall, up, smoothstep(roof, roof + 0.05, el));
  return mix(bounce * 0.45, c, smoothstep(-0.03, 0.03, d.z));
}
float lampIrr(vec3 p, vec3 n, int i){
  vec3 l = lampPos[i] - p; float r2 = dot(l, l); l *= inversesqrt(r2);
  float cosb = max(l.z, 0.0);
  float spread = smoothstep(0.10, 0.75, cosb);
  return max(dot(n, l) * 0.85 + 0.15, 0.0) * spread * 60.0 / (r2 + 6.0);
}
vec3 beams(vec3 p, vec3 n){
  float e = 0.0;
  for (int i = 0; i < beamCount; i++) {
    vec3 l = p - beamPos[i].xyz; float r2 = dot(l, l);
    if (r2 > 900.0 || dot(l, beamDir[i]) < 0.0) continue;
    vec3 d = l * inversesqrt(r2);
    vec3 f = beamDir[i]; vec3 s = normalize(vec3(-f.y, f.x, 0.0)); vec3 u = cross(f, s);
    float a = dot(d, s), b = dot(d, u), c = dot(d, f);
    if (c < 0.1) continue;
    float cone = exp(-a * a * 9.0) * exp(-pow(max(b, 0.0) * 26.0, 2.0)) * exp(-pow(max(-b, 0.0) * 6.0, 2.0));
    e += cone * beamPos[i].w * max(dot(n, -d) * 0.9 + 0.1, 0.0) * 26.0 / (r2 + 3.0);
  }
  return vec3(1.0, 0.96, 0.88) * e;
}
float shadow1(sampler2DShadow m, vec3 c){ return texture(m, c); }
float shadow5(sampler2DShadow m, vec3 c, float px){
  return 0.2 * (texture(m, c) + texture(m, c + vec3(px, 0.4 * px, 0)) + texture(m, c + vec3(-0.4 * px, px, 0)) + texture(m, c + vec3(-px, -0.4 * px, 0)) + texture(m, c + vec3(0.4 * px, -px, 0)));
}
"""

FULL_VS = """
#version 330
out vec2 uv;
void main(){ vec2 p = vec2((gl_VertexID << 1) & 2, gl_VertexID & 2); uv = p; gl_Position = vec4(p * 2.0 - 1.0, 0.0, 1.0); }
"""

DEPTH_VS = """
#version 330
in vec3 in_pos; uniform mat4 mvp;
void main(){ gl_Position = mvp * vec4(in_pos, 1.0); }
"""
DEPTH_FS = """
#version 330
void main(){}
"""

STATIC_VS = """
#version 330
in vec3 in_pos; in vec3 in_nrm; in vec2 in_uv; in vec3 in_col; in float in_layer;
uniform mat4 mvp;
out vec3 wp; out vec3 wn; out vec2 uv; out vec3 col; flat out float layer;
void main(){ wp = in_pos; wn = in_nrm; uv = in_uv; col = in_col; layer = in_layer; gl_Position = mvp * vec4(in_pos, 1.0); }
"""
STATIC_FS = """
#version 330
in vec3 wp; in vec3 wn; in vec2 uv; in vec3 col; flat in float layer;
uniform sampler2DArray tiles; uniform sampler2D ground; uniform vec4 groundRect; uniform vec3 eye;
layout(location=0) out vec4 oAlb; layout(location=1) out vec4 oNrm;
void main(){
  vec3 n = normalize(wn);
  if (dot(n, eye - wp) < 0.0) n = -n;
  vec4 a;
  if (layer < -0.5) { a = texture(ground, (wp.xy - groundRect.xy) / groundRect.zw); }
  else { a = texture(tiles, vec3(uv, layer)); a.rgb *= sqrt(col); }
  a.rgb *= a.rgb; // pictures store the square root of the albedo
  // gloss in alpha of albedo: 0 matt, 1 window glass
  oAlb = vec4(sqrt(clamp(a.rgb, 0.0, 1.0)), a.a);
  oNrm = vec4(n, layer);
}
"""

ACCUM_FS = """
#version 330
in vec2 uv; out vec4 o;
uniform sampler2D depthTex; uniform sampler2D nrmTex; uniform sampler2DShadow shadowTex;
uniform mat4 invVP; uniform mat4 lightVP; uniform vec3 lightDir; uniform vec3 lightPos; uniform vec4 weight; uniform float perspective; uniform float bias;
void main(){
  float z = texture(depthTex, uv).r;
  if (z >= 1.0) { o = vec4(0.0); return; }
  vec4 p4 = invVP * vec4(vec3(uv, z) * 2.0 - 1.0, 1.0); vec3 p = p4.xyz / p4.w;
  vec4 nl = texture(nrmTex, uv); vec3 n = nl.xyz;
  float k;
  vec3 L = lightDir;
  if (perspective > 0.5) {
    vec3 l = lightPos - p; float r2 = dot(l, l); L = l * inversesqrt(r2);
    k = smoothstep(0.10, 0.75, max(L.z, 0.0)) * 60.0 / (r2 + 6.0);
  } else k = 1.0;
  float nl_ = dot(n, L);
  bool leaf = nl.w > 11.5 && nl.w < 12.5;   // leaves let some light through
  float c = leaf ? max(nl_, 0.0) + 0.35 * max(-nl_, 0.0) + 0.08 : max(nl_, 0.0);
  vec4 q = lightVP * vec4(p + n * bias, 1.0); q.xyz = q.xyz / q.w * 0.5 + 0.5;
  float s = texture(shadowTex, vec3(q.xy, q.z - 0.0008));
  o = weight * (c * k * s);
}
"""

# products of albedo and irradiance, box-filtered from the supersampled buffers
COMBINE_FS = COMMON + """
in vec2 uv;
uniform sampler2D depthTex; uniform sampler2D nrmTex; uniform sampler2D albTex; uniform sampler2D accTex;
uniform mat4 invVP; uniform vec3 eye; uniform int ss; uniform float litWindows;
layout(location=0) out vec4 oSky; layout(location=1) out vec4 oSun; layout(location=2) out vec4 oLamp; layout(location=3) out vec4 oAlb;
layout(location=4) out vec4 oEmit; layout(location=5) out float oDepth;
void main(){
  ivec2 base = ivec2(gl_FragCoord.xy) * ss;
  vec3 S = vec3(0), U = vec3(0), Q = vec3(0), A = vec3(0), E = vec3(0); float dz = 1.0; float wn = 0.0;
  for (int y = 0; y < ss; y++) for (int x = 0; x < ss; x++) {
    ivec2 t = base + ivec2(x, y);
    float z = texelFetch(depthTex, t, 0).r;
    vec2 uvt = (vec2(t) + 0.5) / vec2(textureSize(depthTex, 0));
    vec4 p4 = invVP * vec4(vec3(uvt, z) * 2.0 - 1.0, 1.0); vec3 p = p4.xyz / p4.w;
    vec3 v = normalize(p - eye);
    if (z >= 1.0) { E += sky(v); continue; }
    vec4 nl = texelFetch(nrmTex, t, 0); vec3 n = nl.xyz; vec4 a4 = texelFetch(albTex, t, 0); vec3 a = a4.rgb * a4.rgb;
    vec4 acc = texelFetch(accTex, t, 0);
    S += a * (acc.r + 0.10 + 0.12 * (1.0 - n.z) * 0.5); U += a * acc.g; Q += a * (acc.b + 0.02); A += a;
    if (n.z > 0.7) wn += 1.0;
    float g = a4.a;
    if (g > 0.25 && nl.w > -0.5) {
      float F = 0.04 + 0.96 * pow(1.0 - max(dot(-v, n), 0.0), 5.0);
      E += env(reflect(v, n)) * F * g * 1.2;
      vec2 c = floor(vec2(dot(p.xy, vec2(0.37, 0.61)) * 0.8, p.z / 1.6));
      E += litWindows * g * vec3(1.0, 0.78, 0.45) * step(0.55, hash(c)) * (0.25 + hash(c + 3.0));
    }
    if (nl.w > 13.5 && nl.w < 14.5) E += litWindows * a * 2.4;       // shop signs glow
    if (nl.w > 14.5 && nl.w < 15.5) E += litWindows * vec3(9.0, 7.2, 4.6);  // lamp heads
    if (wet > 0.0 && n.z > 0.9) {
      float pud = smoothstep(0.35, 0.75, a4.a * 4.0);
      vec3 nn = normalize(n + 0.03 * vec3(hash(floor(p.xy * 9.0)) - 0.5, hash(floor(p.yx * 9.0)) - 0.5, 0.0));
      vec3 r = reflect(v, nn); float F = 0.02 + 0.98 * pow(1.0 - max(dot(-v, n), 0.0), 5.0);
      E += env(r) * F * wet * (0.35 + 0.65 * pud);
    }
    dz = min(dz, z);
  }
  float k = 1.0 / float(ss * ss);
  float w = mix(1.0, 0.55, wet);
  oSky = vec4(S * k * w, wn * k); oSun = vec4(U * k * w, 1.0); oLamp = vec4(Q * k * w, 1.0); oAlb = vec4(A * k * w, 1.0); oEmit = vec4(E * k, 1.0); oDepth = dz;
}
"""

# the street behind the vehicles, with their shadows, written with its depth
BACK_FS = COMMON + """
#define MAX_VEH 24
in vec2 uv; out vec4 o;
uniform sampler2D skyTex, sunTex, lampTex, albTex, emitTex, depthTex;
uniform sampler2DShadow vehShadow; uniform sampler2DArray footTex;
uniform mat4 invVP; uniform mat4 sunVP; uniform ivec2 origin; uniform vec2 frame; uniform float shadowPx;
uniform int vehCount; uniform vec4 vehPose[MAX_VEH]; uniform vec4 vehDim[MAX_VEH]; uniform vec3 skyE;
void main(){
  ivec2 t = ivec2(gl_FragCoord.xy) + origin;
  float z = texelFetch(depthTex, t, 0).r;
  vec4 sky4 = texelFetch(skyTex, t, 0);
  vec3 S = sky4.rgb, U = texelFetch(sunTex, t, 0).rgb, Q = texelFetch(lampTex, t, 0).rgb, A = texelFetch(albTex, t, 0).rgb, E = texelFetch(emitTex, t, 0).rgb;
  vec2 ndc = (vec2(t) + 0.5) / frame;
  vec4 p4 = invVP * vec4(vec3(ndc, min(z, 0.99999)) * 2.0 - 1.0, 1.0); vec3 p = p4.xyz / p4.w;
  float sun = 1.0, ao = 1.0;
  if (z < 1.0) {
    vec4 q = sunVP * vec4(p, 1.0); vec3 c = q.xyz / q.w * 0.5 + 0.5;
    if (all(greaterThan(c, vec3(0.0))) && all(lessThan(c, vec3(1.0)))) sun = shadow5(vehShadow, c - vec3(0, 0, 0.0006), shadowPx);
    if (p.z < 0.6) for (int i = 0; i < vehCount; i++) {
      vec2 d = p.xy - vehPose[i].xy; float cs = vehPose[i].z, sn = vehPose[i].w;
      vec2 l = vec2(d.x * cs + d.y * sn, -d.x * sn + d.y * cs) / vehDim[i].xy + 0.5;
      if (all(greaterThan(l, vec2(0.0))) && all(lessThan(l, vec2(1.0)))) ao *= texture(footTex, vec3(l, vehDim[i].z)).r;
    }
  }
  vec3 col = S * skyE * ao + U * sunCol * sun + Q * lampCol * (0.25 + 0.75 * ao) + E * (0.5 + 0.5 * ao) + A * beams(p, vec3(0.0, 0.0, 1.0)) * ao;
  o = vec4(col, 1.0);
  gl_FragDepth = z;
}
"""

VEHICLE_VS = """
#version 330
in vec3 in_pos; in vec3 in_nrm; in float in_ao; in float in_mat;
invariant gl_Position;
uniform mat4 model; uniform mat4 vp; uniform mat4 local;
out vec3 lp; out vec3 ln; out vec3 wp; out vec3 wn; out float ao; flat out float mat;
void main(){
  lp = in_pos; ln = in_nrm; ao = in_ao; mat = in_mat;
  vec4 w = model * local * vec4(in_pos, 1.0); wp = w.xyz; wn = mat3(model) * mat3(local) * in_nrm; gl_Position = vp * w;
}
"""
VEHICLE_FS = COMMON + """
in vec3 lp; in vec3 ln; in vec3 wp; in vec3 wn; in float ao; flat in float mat; out vec4 o;
uniform vec3 dim; uniform vec3 paint; uniform vec3 cloth; uniform vec3 cloth2; uniform float dirtK; uniform vec2 lights; uniform float wheelAo; uniform float rimStyle; uniform float wheelR;
uniform vec3 eye; uniform vec3 skyE; uniform float staticLight;
uniform sampler2DArray maskTex; uniform sampler2DArray lampTex;
uniform sampler2DShadow vehShadow; uniform sampler2DShadow townShadow; uniform mat4 sunVP; uniform mat4 townVP; uniform float shadowPx; uniform float townPx;
void main(){
  vec3 n = normalize(wn); vec3 v = normalize(wp - eye); if (dot(n, v) > 0.0) n = normalize(n - 1.02 * v * dot(n, v));
  vec3 l = normalize(ln);
  vec3 alb = paint; float F0 = 0.045; float coat = 1.0; float spec = 1.0; vec3 emit = vec3(0.0); float flake = 0.06; float rough = 0.04; float occl = mix(ao, wheelAo, step(0.0, wheelAo));
  int m = int(mat + 0.5);
  if (m == 0) {
    vec3 uvw;
    vec3 a = abs(l);
    vec2 side = vec2(lp.x / dim.x + 0.5, lp.z / dim.z);
    vec2 face = vec2(lp.y / dim.y + 0.5, lp.z / dim.z);
    vec2 plan = vec2(lp.x / dim.x + 0.5, lp.y / dim.y + 0.5);
    bool faceOk = abs(lp.x) > dim.x * 0.5 - 0.75;
    if (faceOk && l.x > 0.50 && l.x > a.z * 0.85 && l.x > a.y * 0.8) uvw = vec3(face, 1.0);
    else if (faceOk && l.x < -0.50 && -l.x > a.z * 0.85 && -l.x > a.y * 0.8) uvw = vec3(face, 2.0);
    else if (a.y > a.z * 0.55 && a.y > a.x * 0.35) uvw = vec3(side, 0.0);
    else if (l.z > 0.0) uvw = vec3(plan, 3.0);
    else uvw = vec3(side, 0.0);
    vec4 k = texture(maskTex, uvw); vec4 q = texture(lampTex, uvw);
    alb = mix(alb, vec3(0.10, 0.09, 0.075), q.a * dirtK);
    float dn = q.a * dirtK;
    alb = mix(alb, vec3(0.022), k.g); coat = mix(coat, 0.35, k.g); rough = mix(rough, 0.3, k.g * 0.6); flake *= 1.0 - k.g;
    alb = mix(alb, vec3(0.55), k.b); F0 = mix(F0, 0.55, k.b);
    alb = mix(alb, vec3(0.012), k.r); F0 = mix(F0, 0.07, k.r); coat = mix(coat, 1.0, k.r); flake *= 1.0 - k.r;
    alb *= 1.0 - 0.88 * k.a; coat *= 1.0 - 0.8 * k.a;
    float hl = q.r, tl = q.g, am = q.b;
    vec2 c = uvw.xy * vec2(60.0, 26.0);
    float facet = 0.75 + 0.25 * sin(c.x * 6.28) * sin(c.y * 6.28);
    alb = mix(alb, vec3(0.50, 0.52, 0.55) * facet, hl * 0.9); F0 = mix(F0, 0.16, hl);
    alb = mix(alb, vec3(0.30, 0.012, 0.012) * facet, tl * 0.95); F0 = mix(F0, 0.06, tl);
    alb = mix(alb, vec3(0.50, 0.20, 0.02), am * 0.8);
    emit += vec3(1.0, 0.96, 0.86) * lights.x * hl * smoothstep(0.6, 1.0, facet) * 9.0 * max(dot(normalize(wn), -v), 0.0);
    emit += vec3(1.0, 0.05, 0.03) * lights.y * tl * 1.4;
    flake *= 1.0 - max(hl, max(tl, am)); coat *= 1.0 - 0.5 * dn;
  } else if (m == 1) { alb = vec3(0.018); coat = 0.12; flake = 0.0; rough = 0.5; }
  else if (m == 2) {
    float r = length(lp.xz) / wheelR; float ang = atan(lp.z, lp.x);
    float sp = smoothstep(0.0, 0.25, abs(sin(ang * rimStyle * 0.5)) - 0.42 + 0.12 * r);
    float rim = step(0.56, r) + step(r, 0.14);
    alb = mix(vec3(0.42), vec3(0.012), clamp(sp - rim, 0.0, 1.0)); F0 = mix(0.35, 0.03, clamp(sp - rim, 0.0, 1.0)); flake = 0.0; rough = 0.25; }
  else if (m == 3) { alb = cloth2; coat = 0.25; flake = 0.0; rough = 0.3; }
  else if (m == 4) { alb = vec3(0.02); coat = 0.2; flake = 0.0; rough = 0.4; }
  else if (m == 5) { alb = vec3(0.012); F0 = 0.07; flake = 0.0; }
  else if (m == 6) { alb = vec3(0.5); emit = vec3(1.0, 0.96, 0.86) * lights.x * 9.0; }
  else if (m == 7) { alb = vec3(0.3, 0.012, 0.012); emit = vec3(1.0, 0.05, 0.03) * lights.y * 1.4; }
  else if (m == 8) { alb = cloth; coat = 0.02; flake = 0.0; rough = 1.0; }
  else if (m == 9) { alb = cloth2; coat = 0.02; flake = 0.0; rough = 1.0; }
  else if (m == 10) { alb = vec3(0.45, 0.28, 0.20); coat = 0.05; flake = 0.0; }
  else if (m == 11) { alb = vec3(0.4); F0 = 0.5; flake = 0.0; }
  else if (m == 13) { alb = vec3(0.035); coat = 0.15; flake = 0.0; rough = 0.4; }

  float ndl = max(dot(n, sunDir), 0.0), sun = 0.0;
  if (ndl > 0.0 && sunCol.r > 0.1) {
    vec4 s4 = sunVP * vec4(wp + n * 0.02, 1.0); vec3 c = s4.xyz * 0.5 + 0.5;
    sun = shadow5(vehShadow, c - vec3(0, 0, 0.0007), shadowPx);
    vec4 t4 = townVP * vec4(wp + n * 0.05, 1.0); vec3 ct = t4.xyz * 0.5 + 0.5;
    sun *= shadow5(townShadow, ct - vec3(0, 0, 0.0012), townPx);
  }
  float low = clamp(wp.z / 0.35, 0.25, 1.0);
  vec3 E = skyE * occl * staticLight + bounce * (0.5 - 0.5 * n.z) * 0.85 * low + bounce * 0.12 + sunCol * ndl * sun;
  float le = 0.0; for (int i = 0; i < lampCount; i++) le += lampIrr(wp, n, i);
  E += lampCol * le * (0.35 + 0.65 * occl * 1.3) + beams(wp, n);
  vec3 col = alb * E;
  vec3 r = reflect(v, n);
  float nv = max(dot(n, -v), 0.0);
  float F = (F0 + (1.0 - F0) * pow(1.0 - nv, 5.0)) * coat;
  float so = clamp(occl * 1.5 + 0.12, 0.0, 1.0);
  vec3 rf = env(r); rf = mix(rf, skyE * 0.6 + bounce * 0.2, rough);
  rf += lampCol * 0.06 * (r.z > 0.0 ? 1.0 : 0.0);
  col = col * (1.0 - F) + rf * F * so;
  float h = max(dot(normalize(sunDir - v), n), 0.0);
  col += sunCol * sun * ndl * (coat * F0 * 22.0 * pow(h, mix(900.0, 40.0, rough)) + flake * paint * 2.2 * pow(h, 14.0));
  for (int i = 0; i < lampCount; i++) { vec3 L = normalize(lampPos[i] - wp); col += lampCol * coat * F0 * 14.0 * pow(max(dot(normalize(L - v), n), 0.0), 600.0) * so; }
  col += emit;
  o = vec4(col, 1.0);
}
"""

PLATE_VS = """
#version 330
uniform mat4 model; uniform mat4 vp; uniform vec4 mount; uniform vec2 size; uniform float outward;
out vec2 uv; out vec3 wp; out vec3 wn;
void main(){
  int i = gl_VertexID; vec2 q = vec2((i == 1 || i == 2 || i == 4) ? 0.5 : -0.5, (i == 2 || i == 4 || i == 5) ? 0.5 : -0.5);
  float ct = cos(mount.w), st = sin(mount.w);
  vec3 l = vec3(mount.x - outward * st * q.y * size.y, -outward * -1.0 * q.x * size.x, mount.z + ct * q.y * size.y);
  uv = vec2(q.x + 0.5, 0.5 - q.y);
  vec4 w = model * vec4(l, 1.0); wp = w.xyz; wn = mat3(model) * vec3(outward * ct, 0.0, st); gl_Position = vp * w;
}
"""
PLATE_FS = COMMON + """
in vec2 uv; in vec3 wp; in vec3 wn; out vec4 o;
uniform sampler2D plateTex; uniform vec3 eye; uniform vec3 skyE; uniform float plateLight;
uniform sampler2DShadow vehShadow; uniform sampler2DShadow townShadow; uniform mat4 sunVP; uniform mat4 townVP; uniform float shadowPx; uniform float townPx;
void main(){
  vec3 n = normalize(wn); vec3 v = normalize(wp - eye);
  vec3 a = texture(plateTex, uv).rgb; a = pow(a, vec3(2.2)) * 0.86;
  vec4 s4 = sunVP * vec4(wp + n * 0.03, 1.0); vec3 c = s4.xyz / s4.w * 0.5 + 0.5;
  float sun = shadow5(vehShadow, c - vec3(0, 0, 0.0007), shadowPx);
  vec4 t4 = townVP * vec4(wp + n * 0.05, 1.0); vec3 ct = t4.xyz / t4.w * 0.5 + 0.5;
  sun *= shadow5(townShadow, ct - vec3(0, 0, 0.0012), townPx);
  vec3 E = skyE * (0.5 + 0.5 * n.z) * 0.75 + bounce * 0.5 + sunCol * max(dot(n, sunDir), 0.0) * sun;
  float le = 0.0; for (int i = 0; i < lampCount; i++) le += lampIrr(wp, n, i);
  E += lampCol * le + beams(wp, n) + plateLight * vec3(1.0, 0.95, 0.85) * (0.5 + 0.9 * uv.y * 0.0 + 0.5 * (1.0 - uv.y));
  float F = 0.02 + 0.5 * pow(1.0 - max(dot(n, -v), 0.0), 5.0);
  o = vec4(a * E + env(reflect(v, n)) * F * 0.6, 1.0);
}
"""

TONE_FS = """
#version 330
in vec2 uv; out vec4 o;
uniform sampler2D hdr; uniform float exposure; uniform vec2 frame; uniform ivec2 origin; uniform float vignette; uniform vec3 tint;
void main(){
  vec3 c = texelFetch(hdr, ivec2(gl_FragCoord.xy), 0).rgb * exposure * tint;
  vec2 d = (gl_FragCoord.xy + vec2(origin)) / frame - 0.5;
  c *= 1.0 - vignette * dot(d, d) * 1.6;
  c = c * 0.62;
  c = (c * (2.51 * c + 0.03)) / (c * (2.43 * c + 0.59) + 0.14);
  o = vec4(pow(clamp(c, 0.0, 1.0), vec3(1.0 / 2.2)), 1.0);
}
"""

ID_FS = """
#version 330
out vec4 o; uniform float ident;
void main(){ o = vec4(ident / 255.0, 0.0, 0.0, 1.0); }
"""
