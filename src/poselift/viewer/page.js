"use strict";
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const byId = (id) => document.getElementById(id);
  const floats = (text) => {
    const bytes = Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
    return new Float32Array(bytes.buffer);
  };
  const P = data.persons.length, T = data.frames, J = data.names.length;
  const joints = floats(data.joints);                       // (P, T, J, 3), y down
  const flat = data.keypoints ? floats(data.keypoints) : null;  // (P, T, J, 2)
  const floors = floats(data.floor);                        // (T), y down
  const followed = floats(data.followed.middle);            // (T, 3), y down
  const head = data.names.indexOf("head");
  const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
  const shown = data.persons.map(() => true);
  const clamp = (x, low, high) => Math.min(high, Math.max(low, x));
  const theme = () => document.documentElement.dataset.theme;
  const colours = () => data.palette[theme()];
  const ownColour = (p) => colours().persons[p % colours().persons.length];
  const colourOf = (p, j) => (data.sides[j] === "middle" ? ownColour(p) : colours()[data.sides[j]]);
  const panel = () => getComputedStyle(document.documentElement).getPropertyValue("--panel").trim();

  // three.js has y up and z towards the viewer: only this function turns the camera's axes around.
  const upright = (values, i, out) => out.set(values[i], -values[i + 1], -values[i + 2]);
  const joint = (p, t, j, out) => {                          // whether it is there
    const i = ((p * T + t) * J + j) * 3;
    upright(joints, i, out);
    return !Number.isNaN(joints[i]);
  };

  // ---- 3D -----------------------------------------------------------------------------------------
  const view = byId("view"), image = byId("image"), follow = byId("follow");
  follow.checked = data.followed.start;
  follow.parentElement.hidden = !data.placed || data.whole.radius < 1.05 * data.followed.radius;
  const angles = { camera: [0, 0.08], side: [Math.PI / 2, 0.08], top: [0, 1.45], start: [0.5, 0.24] };
  let [turn, lift] = angles.start, zoom = 1;
  const moved = new THREE.Vector3();                         // by the reader, metres
  const say = (text) => { byId("message").textContent = text; byId("message").hidden = !text; };

  const makeSpace = () => {
    let renderer;
    try {
      renderer = new THREE.WebGLRenderer({ canvas: view, antialias: true });
    } catch {
      return null;
    }
    const scene = new THREE.Scene(), camera = new THREE.PerspectiveCamera();
    const sun = new THREE.DirectionalLight(0xffffff, 1.5);
    sun.position.set(1, 3, 2);
    scene.add(sun, new THREE.AmbientLight(0xffffff, 2.1));
    scene.fog = new THREE.Fog(0, 1, 2);                      // the floor fades out far away

    const count = P * data.bones.length;
    const many = (geometry, material, number) => {
      const mesh = new THREE.InstancedMesh(geometry, material, number);
      mesh.frustumCulled = false;                            // its box does not follow its parts
      scene.add(mesh);
      return mesh;
    };
    const ball = new THREE.SphereGeometry(1, 20, 14), rod = new THREE.CylinderGeometry(1, 1, 1, 14);
    const plain = (more) => new THREE.MeshBasicMaterial({ fog: false, ...more });
    const lit = () => new THREE.MeshLambertMaterial({ fog: false });
    const bones = many(rod, lit(), count);
    const balls = many(ball, lit(), P * J);
    // Left joints are rings and right joints are discs: the sides differ by form too. A ring is
    // the inside of a larger ball around one in the ground's colour.
    const rings = many(ball, plain({ side: THREE.BackSide }), P * J);
    const shadows = many(rod, plain(), count);
    let grid = null, gridOf = "";

    const paint = () => {
      const ground = new THREE.Color(panel()), colour = new THREE.Color();
      renderer.setClearColor(ground);
      scene.fog.color.copy(ground);
      shadows.material.color.copy(ground).multiplyScalar(theme() === "dark" ? 0.45 : 0.82);
      for (let p = 0; p < P; p++) {
        data.bones.forEach(([, b], n) => {
          bones.setColorAt(p * data.bones.length + n, colour.set(colourOf(p, b)));
        });
        for (let j = 0; j < J; j++) {
          rings.setColorAt(p * J + j, colour.set(colourOf(p, j)));
          balls.setColorAt(p * J + j, data.sides[j] === "left" ? ground : colour);
        }
      }
      for (const mesh of [bones, balls, rings]) if (mesh.instanceColor) mesh.instanceColor.needsUpdate = true;
      gridOf = "";
    };

    const nowhere = new THREE.Matrix4().makeScale(0, 0, 0), matrix = new THREE.Matrix4();
    const at = Array.from({ length: J }, () => new THREE.Vector3());
    const along = new THREE.Vector3(), size = new THREE.Vector3(), centre = new THREE.Vector3();
    const rotation = new THREE.Quaternion(), up = new THREE.Vector3(0, 1, 0), flatten = new THREE.Matrix4();
    const putBall = (mesh, n, place, radius) => {
      matrix.makeScale(radius, radius, radius).setPosition(place);
      mesh.setMatrixAt(n, matrix);
    };
    const putPerson = (p, t) => {                            // -> place of the label, or null
      const there = at.map((place, j) => shown[p] && joint(p, t, j, place));
      data.bones.forEach(([a, b], n) => {
        const i = p * data.bones.length + n;
        along.subVectors(at[b], at[a]);
        const length = along.length();
        if (!there[a] || !there[b] || length < 1e-6) {
          bones.setMatrixAt(i, nowhere); shadows.setMatrixAt(i, nowhere);
          return;
        }
        rotation.setFromUnitVectors(up, along.divideScalar(length));
        matrix.compose(centre.addVectors(at[a], at[b]).multiplyScalar(0.5), rotation, size.set(0.018, length, 0.018));
        bones.setMatrixAt(i, matrix);
        matrix.compose(centre, rotation, size.set(0.035, length, 0.035));
        shadows.setMatrixAt(i, matrix.premultiply(flatten));
      });
      let top = null;
      at.forEach((place, j) => {
        const i = p * J + j, ring = data.sides[j] === "left";
        rings.setMatrixAt(i, nowhere);
        balls.setMatrixAt(i, nowhere);
        if (!there[j]) return;
        putBall(balls, i, place, j === head ? 0.075 : 0.028);
        if (ring) putBall(rings, i, place, 0.04);
        if (!top || place.y > top.y) top = place;
      });
      return top && top.clone();
    };

    const labels = data.persons.map((id) => {
      const label = document.createElement("span");
      label.textContent = String(id);
      byId("labels").append(label);
      return label;
    });
    const putLabel = (p, top, width, height) => {
      labels[p].hidden = !top || P < 2;
      if (labels[p].hidden) return;
      top.y += 0.13;
      top.project(camera);
      const [x, y] = [(top.x + 1) / 2 * width, (1 - top.y) / 2 * height];
      labels[p].style.transform = `translate(${x}px, ${y}px) translate(-50%, -100%)`;
      labels[p].style.color = ownColour(p);
    };

    const putFloor = (level, middle, cell, radius) => {
      const cells = 2 * (Math.ceil(radius * 2.5 / cell) + 1), key = `${cells} ${cell}`;
      if (key !== gridOf) {
        if (grid) { scene.remove(grid); grid.dispose(); }
        grid = new THREE.GridHelper(cells * cell, cells, colours().line, colours().line);
        scene.add(grid);
        gridOf = key;
      }
      grid.position.set(Math.round(middle.x / cell) * cell, level, Math.round(middle.z / cell) * cell);
      flatten.makeScale(1, 0, 1).setPosition(0, level + 0.004, 0);  // above the lines
    };

    const middle = new THREE.Vector3(), ahead = new THREE.Vector3();
    const draw = (t) => {
      const box = view.getBoundingClientRect();
      const width = Math.max(1, box.width), height = Math.max(1, box.height);
      renderer.setPixelRatio(Math.min(2, devicePixelRatio || 1));
      renderer.setSize(width, height, false);
      const { radius, cell } = follow.checked ? data.followed : data.whole;
      if (follow.checked) upright(followed, 3 * t, middle);
      else upright(data.whole.middle, 0, middle);
      middle.add(moved);
      const far = radius * 1.08 / Math.sin(Math.atan(0.5 / 1.5)) / zoom;
      camera.fov = 2 * Math.atan(height / (3 * Math.min(width, height))) * 180 / Math.PI;
      camera.aspect = width / height;
      camera.near = Math.max(0.05, far / 100); camera.far = far + 60 * radius;
      camera.updateProjectionMatrix();
      ahead.set(Math.sin(turn) * Math.cos(lift), -Math.sin(lift), -Math.cos(turn) * Math.cos(lift));
      camera.position.copy(middle).addScaledVector(ahead, -far);
      camera.lookAt(middle);
      camera.updateMatrixWorld();
      scene.fog.near = far + 0.5 * radius; scene.fog.far = far + 2.6 * radius;
      putFloor(-floors[t], middle, cell, radius);
      byId("caption").textContent = `3D · floor squares ${cell} m`;
      let somebody = false;
      for (let p = 0; p < P; p++) {
        const top = putPerson(p, t);
        somebody = somebody || Boolean(top);
        putLabel(p, top, width, height);
      }
      for (const mesh of [bones, balls, rings, shadows]) mesh.instanceMatrix.needsUpdate = true;
      say(somebody ? "" : "Nobody in this frame.");
      renderer.render(scene, camera);
    };
    const move = (dx, dy) => {                               // pixels, with what is in the middle
      const metres = camera.position.distanceTo(middle) / (1.5 * Math.min(view.clientWidth, view.clientHeight));
      const right = along.setFromMatrixColumn(camera.matrixWorld, 0);
      moved.addScaledVector(right, -dx * metres);
      moved.addScaledVector(size.setFromMatrixColumn(camera.matrixWorld, 1), dy * metres);
    };
    paint();
    return { draw, paint, move };
  };
  const space = makeSpace();
  if (!space) say("This browser shows no WebGL, which the 3D view needs. Try another browser, or switch on hardware acceleration in its settings.");

  // ---- 2D -----------------------------------------------------------------------------------------
  const pen = image.getContext("2d");
  const dot = (x, y, size, colour, side, ground) => {        // rings and discs, as in 3D
    pen.beginPath(); pen.arc(x, y, size, 0, 7);
    pen.fillStyle = side === "left" ? ground : colour; pen.fill();
    pen.lineWidth = Math.max(1.2, size * 0.5); pen.strokeStyle = colour; pen.stroke();
  };
  const tag = (text, x, y, colour, ground) => {
    pen.font = "600 13px system-ui, sans-serif"; pen.textAlign = "center"; pen.textBaseline = "bottom";
    pen.lineWidth = 4; pen.strokeStyle = ground; pen.strokeText(text, x, y);
    pen.fillStyle = colour; pen.fillText(text, x, y);
  };
  let frameBox = [0, 0, 1, 1];                               // the part of the image with persons in it
  if (flat) {
    const low = [Infinity, Infinity], high = [-Infinity, -Infinity];
    for (let i = 0; i < flat.length; i++) if (!Number.isNaN(flat[i])) {
      low[i % 2] = Math.min(low[i % 2], flat[i]); high[i % 2] = Math.max(high[i % 2], flat[i]);
    }
    const rim = 0.08 * Math.max(high[0] - low[0], high[1] - low[1], 10);
    // An edge of the image that is near is shown whole, not half behind the edge of the page.
    [0, 1].forEach((i) => {
      const side = data.imageSize ? data.imageSize[i] : NaN;
      low[i] = low[i] - rim < 0.1 * side ? Math.min(low[i] - rim, 0) : low[i] - rim;
      high[i] = high[i] + rim > 0.9 * side ? Math.max(high[i] + rim, side) : high[i] + rim;
    });
    frameBox = [...low, high[0] - low[0], high[1] - low[1]];
  }
  const drawFlat = (t) => {
    if (!flat) return;
    const ratio = devicePixelRatio || 1, box = image.getBoundingClientRect();
    const width = Math.max(1, box.width), height = Math.max(1, box.height);
    if (image.width !== Math.round(width * ratio) || image.height !== Math.round(height * ratio)) {
      image.width = Math.round(width * ratio); image.height = Math.round(height * ratio);
    }
    pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    pen.clearRect(0, 0, width, height);
    pen.lineCap = pen.lineJoin = "round";
    const palette = colours(), ground = panel();
    const [x0, y0, w, h] = frameBox, room = 26;              // below the caption
    const scale = Math.min((width - 16) / w, (height - room - 10) / h);
    const left = (width - scale * w) / 2, top = room + (height - room - 10 - scale * h) / 2;
    pen.strokeStyle = palette.line; pen.lineWidth = 1;
    if (data.imageSize) {                                    // where the video image ends
      pen.strokeRect(left - scale * x0, top - scale * y0, ...data.imageSize.map((n) => scale * n));
    }
    for (let p = 0; p < P; p++) {
      if (!shown[p]) continue;
      let [lowest, highest] = [-Infinity, null];
      const at = Array.from({ length: J }, (_, j) => {
        const i = ((p * T + t) * J + j) * 2;
        if (Number.isNaN(flat[i])) return null;
        const spot = [left + scale * (flat[i] - x0), top + scale * (flat[i + 1] - y0)];
        lowest = Math.max(lowest, spot[1]);
        if (!highest || spot[1] < highest[1]) highest = spot;
        return spot;
      });
      if (!highest) continue;
      const wide = clamp((lowest - highest[1]) / 60, 1.5, 5);
      for (const [a, b] of data.bones) if (at[a] && at[b]) {
        pen.lineWidth = wide; pen.strokeStyle = colourOf(p, b);
        pen.beginPath(); pen.moveTo(...at[a]); pen.lineTo(...at[b]); pen.stroke();
      }
      at.forEach((x, j) => x && dot(x[0], x[1], wide * 0.9, colourOf(p, j), data.sides[j], ground));
      if (P > 1) tag(String(data.persons[p]), highest[0], highest[1] - 5, ownColour(p), ground);
    }
  };

  // ---- time -----------------------------------------------------------------------------------
  const slider = byId("frame"), readout = byId("readout"), play = byId("play"), speed = byId("speed");
  const length = data.times[T - 1] + 1 / data.fps;
  let now = 0, clock = 0, playing = false, last = null, dirty = true;
  slider.max = String(T - 1);
  const digits = String(T).length;
  const draw = () => {
    const time = (data.firstTime + data.times[now]).toFixed(2);
    slider.value = String(now);
    slider.setAttribute("aria-valuetext", `frame ${now + 1} of ${T}, ${time} seconds`);
    readout.textContent = `frame ${String(now + 1).padStart(digits, "\u2007")} / ${T} · ${time} s`;
    if (space) space.draw(now);
    drawFlat(now);
    dirty = false;
  };
  const frameAt = (time) => {                                // last frame that has begun
    let [low, high] = [0, T - 1];
    while (low < high) {
      const half = (low + high + 1) >> 1;
      if (data.times[half] <= time + 1e-9) low = half; else high = half - 1;
    }
    return low;
  };
  let asked = false;
  const ask = () => { if (!asked) { asked = true; requestAnimationFrame(tick); } };
  const redraw = () => { dirty = true; ask(); };
  const tick = (stamp) => {
    asked = false;
    if (playing) {
      if (last !== null) clock = (clock + Math.min(0.25, (stamp - last) / 1000) * Number(speed.value)) % length;
      last = stamp;
      const next = frameAt(clock);
      if (next !== now) { now = next; dirty = true; }
      ask();
    }
    if (dirty) draw();
  };
  const seek = (t) => { now = clamp(t, 0, T - 1); clock = data.times[now]; redraw(); };
  const setPlaying = (on) => {
    playing = on && T > 1; last = null;
    play.textContent = playing ? "Pause" : "Play";
    ask();
  };
  const step = (by) => { setPlaying(false); seek(now + by); };
  play.addEventListener("click", () => setPlaying(!playing));
  byId("back").addEventListener("click", () => step(-1));
  byId("ahead").addEventListener("click", () => step(1));
  slider.addEventListener("input", () => { setPlaying(false); seek(Number(slider.value)); });
  for (const id of ["play", "back", "ahead", "frame", "speed"]) byId(id).disabled = T < 2;

  // ---- turning and zooming ---------------------------------------------------------------------
  const orbit = (dx, dy) => { turn += dx; lift = clamp(lift + dy, -0.3, 1.5); redraw(); };
  const zoomBy = (factor) => { zoom = clamp(zoom * factor, 0.2, 8); redraw(); };
  const move = (dx, dy) => { if (space) space.move(dx, dy); redraw(); };
  const look = (name) => { [turn, lift] = angles[name]; zoom = 1; moved.set(0, 0, 0); redraw(); };
  for (const button of document.querySelectorAll("[data-view]")) {
    button.addEventListener("click", () => look(button.dataset.view));
  }
  follow.addEventListener("change", () => { moved.set(0, 0, 0); redraw(); });
  const fingers = new Map();
  const spread = () => {
    const [a, b] = [...fingers.values()];
    return Math.hypot(a[0] - b[0], a[1] - b[1]) || 1;
  };
  view.addEventListener("pointerdown", (event) => {
    fingers.set(event.pointerId, [event.clientX, event.clientY]);
    view.setPointerCapture(event.pointerId); view.classList.add("dragging");
  });
  view.addEventListener("pointermove", (event) => {
    const before = fingers.get(event.pointerId);
    if (!before) return;
    const here = [event.clientX, event.clientY], [dx, dy] = [here[0] - before[0], here[1] - before[1]];
    const two = fingers.size === 2, gap = two ? spread() : 1;
    fingers.set(event.pointerId, here);
    if (two) { zoomBy(spread() / gap); move(dx / 2, dy / 2); }  // each finger is half of the pair
    else if (event.shiftKey || event.buttons & 6) move(dx, dy);
    else orbit(dx * 0.008, dy * 0.008);
  });
  const release = (event) => {
    fingers.delete(event.pointerId);
    if (!fingers.size) view.classList.remove("dragging");
  };
  view.addEventListener("pointerup", release);
  view.addEventListener("pointercancel", release);
  view.addEventListener("contextmenu", (event) => event.preventDefault());
  view.addEventListener("wheel", (event) => {
    event.preventDefault(); zoomBy(Math.exp(-event.deltaY * 0.0015));
  }, { passive: false });
  view.addEventListener("dblclick", () => look("start"));

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const own = event.target.closest("select, summary, input[type=checkbox]");
    const button = event.target.closest("button");
    const steps = { ArrowLeft: -1, ArrowRight: 1 }, jumps = { Home: 0, End: T - 1 };
    const turns = { a: [-0.12, 0], d: [0.12, 0], w: [0, 0.1], s: [0, -0.1] };
    const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
    if (own) return;                                         // these have keys of their own
    if (key === " " && !button) setPlaying(!playing);
    else if (key in steps) step(steps[key] * (event.shiftKey ? 10 : 1));
    else if (key in jumps) { setPlaying(false); seek(jumps[key]); }
    else if (key in turns) orbit(...turns[key]);
    else if (key === "+" || key === "=") zoomBy(1.15);
    else if (key === "-") zoomBy(1 / 1.15);
    else if (key === "r") look("start");
    else return;
    event.preventDefault();
  });

  // ---- words -------------------------------------------------------------------------------------
  const legend = byId("legend");
  const describe = () => {
    legend.replaceChildren();
    const entry = (text, colour, full) => {
      const span = document.createElement("span"), mark = document.createElement("i");
      mark.className = "mark"; mark.style.borderColor = colour;
      if (full) mark.style.background = colour;
      span.append(mark, text); legend.append(span);
      return span;
    };
    const palette = colours();
    entry("left side (rings)", palette.left, false);
    entry("right side (discs)", palette.right, true);
    if (P > 1) data.persons.forEach((id, p) => {
      const span = entry("", ownColour(p), true);
      const label = document.createElement("label"), box = document.createElement("input");
      label.className = "plain"; box.type = "checkbox"; box.checked = shown[p];
      box.addEventListener("change", () => { shown[p] = box.checked; redraw(); });
      label.append(box, `person ${id}`); span.append(label);
    });
  };
  const who = P === 1 ? "one person" : `${P} persons`;
  view.setAttribute("aria-label", `3D view of ${who} as stick figures. W, A, S, D turn it, plus and minus zoom.`);
  image.setAttribute("aria-label", `2D joints of ${who} in the video image.`);
  byId("place").textContent = data.level
    ? "in the room, above the floor on which feet stood"
    : data.placed
      ? "as estimated before the camera, floor at the lowest ankle"
      : "not known: each person stands still, floor at the lowest ankle";
  byId("flat").hidden = !flat;
  byId("stage").classList.toggle("solo", !flat);
  const setTheme = (name) => {
    document.documentElement.dataset.theme = name;
    if (space) space.paint();
    describe(); redraw();
  };
  byId("theme").addEventListener("click", () => setTheme(theme() === "dark" ? "light" : "dark"));
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", (event) => {
    setTheme(event.matches ? "dark" : "light");
  });
  view.addEventListener("webglcontextrestored", redraw);
  new ResizeObserver(redraw).observe(byId("stage"));
  describe();
  draw();
  if (!still) setPlaying(true);
})();
