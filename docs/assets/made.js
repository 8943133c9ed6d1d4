// For the scripts of a question's page: an element with properties and children.
window.made = (name, properties = {}, ...children) => {
  const element = Object.assign(document.createElement(name), properties);
  element.append(...children);
  return element;
};
