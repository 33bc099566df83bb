// Today's appointments as the chart lists them, and the links of their patients as the scheduler sees them.

/** The appointments of the person signed in to the chart that can still be launched. */
export async function appointmentsOf(demo, chart) {
  await chart.goto(demo.links.chart);
  const listed = await chart.locator('[data-appointment-id]:has(a[data-testid^="launch-"])').evaluateAll((items) => items.map((item) => ({
    id: item.dataset.appointmentId, name: item.querySelector('.what a').textContent, patient: item.querySelector('.what a').pathname.split('/').pop(),
  })));
  const appointments = [];
  for (const appointment of listed) {
    await chart.goto(`${demo.sandbox_origin}/patients/${appointment.patient}`);
    const born = await chart.getByTestId('patient-banner').locator('dd').first().textContent();
    appointments.push({ ...appointment, born: new Date(`${born.split('(')[0]} UTC`).toISOString().slice(0, 10) });
  }
  return appointments;
}

/** The patients' links of those appointments that are booked with us and not over, by the patient's name. */
export async function patientLinks(demo, scheduler, clinician, appointments) {
  const links = new Map();
  for (const day of [0, 1]) {
    await scheduler.goto(`${demo.origin}/schedule?as=list`);
    if (day === 1) await scheduler.goto(new URL(await scheduler.locator('nav a[href*="day="]').last().getAttribute('href'), demo.origin) + '&as=list');
    const rows = await scheduler.locator('tbody tr').evaluateAll((all) => all.map((row) => ({
      clinician: row.cells[1].textContent, name: row.cells[2].textContent, visit: new URL(row.querySelector('a').href).searchParams.get('visit'),
    })));
    for (const row of rows) {
      if (row.clinician !== clinician.name || !appointments.some((a) => a.name === row.name)) continue;
      await scheduler.goto(`${demo.origin}/schedule/${row.visit}/link`);
      links.set(row.name, await scheduler.locator('input[readonly]').inputValue());
    }
  }
  return links;
}
